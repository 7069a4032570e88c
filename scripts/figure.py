"""Draw one figure."""

from robustmia.workflow.job import job

with job(snakemake):
    from robustmia.reporting.figures.data import FigureData
    from robustmia.reporting.figures.style import save, style
    from robustmia.settings import instantiate

    spec, files = snakemake.params.spec, snakemake.input
    figure = instantiate(spec["figure"])
    data = FigureData(
        spec["runs"], files.get("table"), files.get("records"), files.get("examples", ()), files.get("conclusions")
    )
    with style(figure):
        save(figure.draw(data), snakemake.output)
