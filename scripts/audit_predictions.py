"""Read and check somebody else's predictions."""

from robustmia.workflow.job import job

with job(snakemake):
    from robustmia.audit.predictions import read_predictions
    from robustmia.audit.predictions_settings import PredictionsAudit
    from robustmia.audit.signal_files import save_signals

    settings = PredictionsAudit(**snakemake.params.spec["settings"])
    save_signals(snakemake.output.signals, *read_predictions(settings))
