"""One signal of some of the shadow models of one run, for all records."""

from pkgutil import resolve_name

from robustmia.jobs import job

with job(snakemake):
    from robustmia.data.records import Records
    from robustmia.device import pick_device
    from robustmia.signals.shadows import shadow_logits

    spec = snakemake.params.spec
    signal = resolve_name(spec["signal"]["class"])(**spec["signal"]["settings"])
    shadow_logits(
        spec,
        snakemake.input.models,
        Records.load(snakemake.input.records),
        pick_device(snakemake.threads),
        signal,
    ).save(snakemake.output.logits)
