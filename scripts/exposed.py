"""Draw the members that each defense exposes most."""

from robustmia.jobs import job

with job(snakemake):
    from robustmia import plots
    from robustmia.data.records import Records
    from robustmia.figure_settings import FigureSettings
    from robustmia.table_files import read_table

    spec = snakemake.params.spec
    settings = FigureSettings(**spec["settings"])
    table, records = read_table(snakemake.input.exposure), Records.load(snakemake.input.records)
    with plots.style(settings):
        figure = plots.exposed(table, spec["runs"], records, settings)
        plots.save(figure, snakemake.output, spec["missing"])
