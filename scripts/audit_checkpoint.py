"""Every signal of somebody else's model that applies to it."""

from robustmia.workflow.job import job

with job(snakemake):
    import logging

    from robustmia.audit.checkpoint import checkpoint_signals
    from robustmia.audit.settings import CheckpointAudit
    from robustmia.data.records import Records

    settings = CheckpointAudit(**snakemake.params.spec["settings"])
    records = Records.load(snakemake.input.records)
    audited = checkpoint_signals(settings, records, snakemake.threads)
    for warning in audited.warnings:
        logging.getLogger("robustmia").warning("%s", warning)
    for note in audited.notes:
        logging.getLogger("robustmia").info("%s", note)
    audited.save(snakemake.output.signals)
