"""Every signal of somebody else's model that applies to it."""

from robustmia.workflow.job import job

with job(snakemake):
    from robustmia.audit.checkpoint import checkpoint_signals
    from robustmia.audit.settings import CheckpointAudit
    from robustmia.audit.signal_files import save_signals
    from robustmia.data.records import Records

    settings = CheckpointAudit(**snakemake.params.spec["settings"])
    records = Records.load(snakemake.input.records)
    save_signals(snakemake.output.signals, *checkpoint_signals(settings, records, snakemake.threads))
