"""Read and check somebody else's predictions."""

from robustmia.workflow.job import job

with job(snakemake):
    from robustmia.audit.predictions import read_predictions
    from robustmia.audit.predictions_settings import PredictionsAudit

    settings = PredictionsAudit(**snakemake.params.spec["settings"])
    read_predictions(settings).save(snakemake.output.signals)
