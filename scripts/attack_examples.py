"""A few attacked images of one target model, to look at."""

from robustmia.jobs import job

with job(snakemake):
    from robustmia.data.records import Records
    from robustmia.data.split import Split
    from robustmia.device import pick_device
    from robustmia.signals.adversarial import Adversarial
    from robustmia.signals.target import Target

    spec = snakemake.params.spec
    target = Target(
        spec,
        snakemake.input.model,
        Records.load(snakemake.input.records),
        Split.load(snakemake.input.split),
        pick_device(snakemake.threads),
    )
    target.examples(Adversarial(**spec["signal"]["settings"])).save(snakemake.output.examples)
