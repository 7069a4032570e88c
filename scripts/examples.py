"""Draw images, perturbations and predictions of every run."""

from robustmia.jobs import job

with job(snakemake):
    from robustmia import plots
    from robustmia.data.records import Records
    from robustmia.figure_settings import FigureSettings
    from robustmia.logits import Examples

    spec = snakemake.params.spec
    settings = FigureSettings(**spec["settings"])
    shown = {run: Examples.load(path) for run, path in zip(spec["runs"], snakemake.input.examples, strict=True)}
    with plots.style(settings):
        figure = plots.examples(shown, Records.load(snakemake.input.records).class_names, settings)
        plots.save(figure, snakemake.output, spec["missing"])
