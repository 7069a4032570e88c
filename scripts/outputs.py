"""What it helps to change the outputs of trained models: a table, words and a figure."""

from robustmia.workflow.job import job

with job(snakemake):
    import numpy as np

    from robustmia.data.records import Records
    from robustmia.data.split import Split
    from robustmia.files.arrays import load_arrays
    from robustmia.files.signals import ShadowSignals, load_signals
    from robustmia.files.tables import write_table
    from robustmia.inference.attacks.base import load_attacks
    from robustmia.inference.settings import AttackSettings
    from robustmia.reporting.figures.outputs import draw_outputs
    from robustmia.reporting.figures.style import draw_to
    from robustmia.reporting.outputs import outputs_text, outputs_text_table
    from robustmia.reporting.tables import write_page
    from robustmia.studies.outputs import Seen, outputs, outputs_table

    spec, inputs = snakemake.params.spec, snakemake.input
    boundaries = iter(inputs.boundary)

    def seen(files):
        """One target model."""
        split = Split.load(inputs.split[files["split"][0]])
        rows = np.concatenate([split.members, split.nonmembers])
        signals = load_signals([inputs.signals[number] for number in files["signals"]])
        signals = {name: signals[name] for name in ("benign", "adversarial")}
        shadows = ShadowSignals.load([inputs.shadows[number] for number in files["shadows"]], rows)
        distances = load_arrays(next(boundaries))
        return Seen(rows, signals, np.concatenate([distances["members"], distances["nonmembers"]]), shadows)

    runs = {kind["run"]: [seen(files) for files in kind["files"]] for kind in spec["kinds"]}
    attacks = load_attacks(spec["strategies"], AttackSettings(**spec["attacks"]))
    table = outputs_table(runs, outputs(**spec["ways"]), attacks, len(Records.load(inputs.records).labels))
    write_table(table, snakemake.output.csv)
    write_page(snakemake.output, outputs_text_table(table), outputs_text(table))
    draw_to(snakemake.output, draw_outputs, table)
