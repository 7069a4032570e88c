"""Some signals of some of the shadow models of one target model, for all records."""

from robustmia.workflow.job import job

with job(snakemake):
    from robustmia.data.records import Records
    from robustmia.models.device import pick_device
    from robustmia.settings import instantiate
    from robustmia.shadow.query import shadow_signals

    spec, records = snakemake.params.spec, Records.load(snakemake.input.records)
    signals = {name: instantiate(settings) for name, settings in spec["signals"].items()}
    device = pick_device(snakemake.threads)
    shadow_signals(spec, snakemake.input.models, records, device, signals).save(snakemake.output.signals)
