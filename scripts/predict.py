"""The benign signal of one target model."""

from robustmia.jobs import job

with job(snakemake):
    from robustmia.data.records import Records
    from robustmia.data.split import Split
    from robustmia.device import pick_device
    from robustmia.signals import Target

    target = Target(
        snakemake.params.spec["architecture"],
        snakemake.input.model,
        Records.load(snakemake.input.records),
        Split.load(snakemake.input.split),
        pick_device(snakemake.threads),
    )
    target.benign().save(snakemake.output.signal)
