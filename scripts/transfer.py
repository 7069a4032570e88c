"""Attacks with shadow models that were trained otherwise than the target: a table, words and a figure."""

from robustmia.workflow.job import job

with job(snakemake):
    import numpy as np

    from robustmia.data.records import Records
    from robustmia.data.split import Split
    from robustmia.files.signals import ShadowSignals, load_signals
    from robustmia.files.tables import write_table
    from robustmia.inference.attacks.base import load_attacks
    from robustmia.inference.settings import AttackSettings
    from robustmia.progress import report_progress
    from robustmia.reporting.figures.style import draw_to
    from robustmia.reporting.figures.transfer import draw_transfer
    from robustmia.reporting.tables import write_page
    from robustmia.reporting.transfer import transfer_text, transfer_text_table
    from robustmia.studies.transfer import Knowledge, attack_with, losses, transfer_table

    spec, inputs = snakemake.params.spec, snakemake.input
    files = {Knowledge(kind["point"], kind["run"], kind["other_records"]): kind["files"] for kind in spec["kinds"]}
    attacks = load_attacks(spec["strategies"], AttackSettings(**spec["attacks"]))
    labels = Records.load(inputs.records).labels
    pairs = len(files) * sum(not kind.other_records for kind in files)
    done = 0

    def results_of(shadow, target):
        """Of each seed."""
        global done
        results = []
        for of_shadow, of_target in zip(files[shadow], files[target], strict=True):
            split = Split.load(inputs.split[of_target["split"][0]])
            rows = np.concatenate([split.members, split.nonmembers])
            signals = load_signals([inputs.signals[number] for number in of_target["signals"]])
            shadows = ShadowSignals.load(
                [inputs.shadows[number] for number in of_shadow["shadows"]], np.arange(len(labels))
            )
            results.append(attack_with(signals, rows, shadows, labels, attacks))
        done += 1
        report_progress("attacks", done, pairs, "pairs")
        return results

    table = transfer_table(results_of, list(files), len(labels))
    write_table(table, snakemake.output.csv)
    found = losses(table)
    write_page(snakemake.output, transfer_text_table(table), transfer_text(found, int(table.seeds.max())))
    draw_to(snakemake.output, draw_transfer, table)
