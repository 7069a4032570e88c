"""How much models depend on single records: tables, words and a figure."""

from robustmia.workflow.job import job

with job(snakemake):
    from itertools import islice

    import numpy as np

    from robustmia.files.arrays import load_arrays
    from robustmia.files.tables import read_table, write_table
    from robustmia.reporting.figures.sensitivity import draw_sensitivity
    from robustmia.reporting.figures.style import draw_to
    from robustmia.reporting.sensitivity import sensitivity_text, sensitivity_text_table
    from robustmia.reporting.tables import write_page
    from robustmia.studies.sensitivity import SIGNALS, Retrained, sensitivity_table, summary

    spec, chosen, files = snakemake.params.spec, read_table(snakemake.input.chosen), iter(snakemake.input.retrained)
    retrained = {}
    for run in spec["runs"]:
        logits = {kind: [load_arrays(path) for path in islice(files, count)] for kind, count in spec["jobs"].items()}
        for signal in SIGNALS:
            parts = {kind: np.concatenate([part[signal] for part in logits[kind]]) for kind in logits}
            retrained[run, signal] = Retrained.of(**parts, labels=chosen["label"].to_numpy())
    table, found = sensitivity_table(chosen, retrained), summary(chosen, retrained, spec["natural"])
    write_table(table, snakemake.output.csv)
    write_table(found, snakemake.output.summary)
    write_page(snakemake.output, sensitivity_text_table(found), sensitivity_text(found))
    draw_to(snakemake.output, draw_sensitivity, table)
