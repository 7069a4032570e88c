"""A few attacked images of one target model, to look at."""

from robustmia.jobs import job

with job(snakemake):
    from robustmia.signals.adversarial import Adversarial
    from robustmia.signals.target import Target

    spec = snakemake.params.spec
    target = Target.open(spec, **snakemake.input, threads=snakemake.threads)
    target.examples(Adversarial(**spec["signal"]["settings"])).save(snakemake.output.examples)
