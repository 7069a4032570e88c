"""One signal of some of the shadow models of one run, for all records."""

from robustmia.workflow.job import job

with job(snakemake):
    from robustmia.data.records import Records
    from robustmia.models.device import pick_device
    from robustmia.settings import instantiate
    from robustmia.shadow.query import shadow_logits

    spec, records = snakemake.params.spec, Records.load(snakemake.input.records)
    device, signal = pick_device(snakemake.threads), instantiate(spec["signal"])
    shadow_logits(spec, snakemake.input.models, records, device, signal).save(snakemake.output.logits)
