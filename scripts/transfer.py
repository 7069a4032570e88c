"""Attacks with shadow models that were trained otherwise than the target: a table, words and a figure."""

from robustmia.workflow.job import job

with job(snakemake):
    from itertools import count

    import numpy as np

    from robustmia.data.records import Records
    from robustmia.files.signals import ShadowSignals
    from robustmia.files.tables import write_table
    from robustmia.inference.attacks.base import load_attacks
    from robustmia.inference.settings import AttackSettings
    from robustmia.progress import report_progress
    from robustmia.reporting.figures.style import draw_to
    from robustmia.reporting.figures.transfer import draw_transfer
    from robustmia.reporting.tables import write_page
    from robustmia.reporting.transfer import transfer_text, transfer_text_table
    from robustmia.studies.target_files import load_target
    from robustmia.studies.transfer import Knowledge, attack_with, losses, transfer_table

    spec = snakemake.params.spec
    files = {Knowledge(kind["point"], kind["run"], kind["other_records"]): kind["files"] for kind in spec["kinds"]}
    attacks = load_attacks(spec["strategies"], AttackSettings(**spec["attacks"]))
    labels = Records.load(snakemake.input.records).labels
    pairs, done = len(files) * sum(not kind.other_records for kind in files), count(1)

    def results_of(shadow, target):
        """Of each seed."""
        results = []
        for of_shadow, of_target in zip(files[shadow], files[target], strict=True):
            rows, signals = load_target(of_target)
            shadows = ShadowSignals.load(of_shadow["shadows"], np.arange(len(labels)))
            results.append(attack_with(signals, rows, shadows, labels, attacks))
        report_progress("attacks", next(done), pairs, "pairs")
        return results

    table = transfer_table(results_of, list(files), len(labels))
    write_table(table, snakemake.output.csv)
    found = losses(table)
    write_page(snakemake.output, transfer_text_table(table), transfer_text(found, int(table.seeds.max())))
    draw_to(snakemake.output, draw_transfer, table)
