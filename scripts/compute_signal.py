"""One signal of one target model."""

from pkgutil import resolve_name

from robustmia.jobs import job

with job(snakemake):
    from robustmia.signals.target import Target

    spec = snakemake.params.spec
    signal = resolve_name(spec["signal"]["class"])(**spec["signal"]["settings"])
    target = Target.open(spec, **snakemake.input, threads=snakemake.threads)
    target.logits(signal).save(snakemake.output.logits)
