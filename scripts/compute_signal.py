"""One signal of one target model."""

from pkgutil import resolve_name

from robustmia.jobs import job

with job(snakemake):
    from robustmia.data.records import Records
    from robustmia.data.split import Split
    from robustmia.device import pick_device
    from robustmia.signals.target import Target

    spec = snakemake.params.spec
    target = Target(
        spec,
        snakemake.input.model,
        Records.load(snakemake.input.records),
        Split.load(snakemake.input.split),
        pick_device(snakemake.threads),
    )
    signal = resolve_name(spec["signal"]["class"])(**spec["signal"]["settings"])
    target.logits(signal).save(snakemake.output.logits)
