"""What goes with leakage over all sweeps: a table, words and a figure."""

from robustmia.workflow.job import job

with job(snakemake):
    from robustmia.files.tables import read_table, write_table
    from robustmia.reporting.explanation import explanation_table, explanation_text
    from robustmia.reporting.figures.explanation import draw_explanation
    from robustmia.reporting.figures.style import draw_to
    from robustmia.reporting.tables import write_page
    from robustmia.studies.explanation import correlations, joined

    studies = snakemake.params.studies
    rows = joined({study: read_table(path) for study, path in zip(studies, snakemake.input, strict=True)})
    found = correlations(rows)
    write_table(rows, snakemake.output.rows)
    write_table(found, snakemake.output.csv)
    write_page(snakemake.output, explanation_table(found), explanation_text(found, len(studies)))
    draw_to(snakemake.output, draw_explanation, rows, found)
