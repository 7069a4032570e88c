"""Draw the figure of a sweep."""

from robustmia.workflow.job import job

with job(snakemake):
    from robustmia.files.tables import read_table
    from robustmia.reporting.figures.study import draw_sweep, draw_trade_offs
    from robustmia.reporting.figures.style import draw_to

    table, keys = read_table(snakemake.input.table), snakemake.params.spec["keys"]
    if keys:
        draw_to(snakemake.output, draw_sweep, table, keys)
    else:
        draw_to(snakemake.output, draw_trade_offs, table)
