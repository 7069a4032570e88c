"""Draw one figure from its table."""

from robustmia.jobs import job

with job(snakemake):
    from robustmia import plots
    from robustmia.figure_settings import FigureSettings
    from robustmia.table_files import read_table

    spec = snakemake.params.spec
    settings = FigureSettings(**spec["settings"])
    with plots.style(settings):
        figure = getattr(plots, spec["figure"])(read_table(snakemake.input.table), spec["runs"], settings)
        plots.save(figure, snakemake.output, spec["missing"])
