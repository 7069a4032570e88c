"""What goes with leakage over all sweeps: a table, words and a figure."""

from robustmia.workflow.job import job

with job(snakemake):
    from robustmia.files.atomic import write_text
    from robustmia.files.tables import read_table, write_table
    from robustmia.reporting.explanation import explanation_table, explanation_text
    from robustmia.reporting.figures.base import Figure
    from robustmia.reporting.figures.explanation import draw_explanation
    from robustmia.reporting.figures.style import save, style
    from robustmia.reporting.tables import render_text
    from robustmia.studies.explanation import correlations, joined

    studies = snakemake.params.studies
    rows = joined({study: read_table(path) for study, path in zip(studies, snakemake.input, strict=True)})
    found = correlations(rows)
    write_table(rows, snakemake.output.rows)
    write_table(found, snakemake.output.csv)
    words = "\n\n".join(explanation_text(found, len(studies)))
    for form in ("markdown", "html"):
        write_text(snakemake.output[form], render_text(form, explanation_table(found), words))
    with style(Figure()):
        save(draw_explanation(rows, found), [snakemake.output.pdf, snakemake.output.png])
