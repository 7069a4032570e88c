"""Draw the figure of a study."""

from robustmia.workflow.job import job

with job(snakemake):
    from robustmia.files.tables import read_table
    from robustmia.reporting.figures.base import Figure
    from robustmia.reporting.figures.study import draw_sweep, draw_trade_offs
    from robustmia.reporting.figures.style import save, style

    table, keys = read_table(snakemake.input.table), snakemake.params.spec["keys"]
    with style(Figure()):
        save(draw_sweep(table, keys) if keys else draw_trade_offs(table), snakemake.output)
