"""What it helps to change the outputs of trained models: a table, words and a figure."""

from robustmia.workflow.job import job

with job(snakemake):
    import numpy as np

    from robustmia.data.records import Records
    from robustmia.files.arrays import load_arrays
    from robustmia.files.signals import ShadowSignals
    from robustmia.files.tables import write_table
    from robustmia.inference.attacks.base import load_attacks
    from robustmia.inference.settings import AttackSettings
    from robustmia.reporting.figures.outputs import draw_outputs
    from robustmia.reporting.figures.style import draw_to
    from robustmia.reporting.outputs import outputs_text, outputs_text_table
    from robustmia.reporting.tables import write_page
    from robustmia.studies.outputs import Seen, outputs, outputs_table
    from robustmia.studies.target_files import load_target

    spec, boundaries = snakemake.params.spec, iter(snakemake.input.boundary)

    def seen(files):
        """One target model."""
        rows, signals = load_target(files)
        signals = {name: signals[name] for name in ("benign", "adversarial")}
        distances = load_arrays(next(boundaries))
        sides = np.concatenate([distances["members"], distances["nonmembers"]])
        return Seen(rows, signals, sides, ShadowSignals.load(files["shadows"], rows))

    runs = {kind["run"]: [seen(files) for files in kind["files"]] for kind in spec["kinds"]}
    attacks = load_attacks(spec["strategies"], AttackSettings(**spec["attacks"]))
    table = outputs_table(runs, outputs(**spec["ways"]), attacks, len(Records.load(snakemake.input.records).labels))
    write_table(table, snakemake.output.csv)
    write_page(snakemake.output, outputs_text_table(table), outputs_text(table))
    draw_to(snakemake.output, draw_outputs, table)
