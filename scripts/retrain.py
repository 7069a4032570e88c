"""Train some models again, without one record each or with all members, and compute their answers to the records in question."""

from pathlib import Path

from robustmia.workflow.job import job

with job(snakemake):
    from robustmia.data.records import Records
    from robustmia.data.split import Split
    from robustmia.files.arrays import save_arrays
    from robustmia.files.tables import read_table
    from robustmia.models.device import pick_device
    from robustmia.studies.retraining import retrain

    logits, checkpoints = retrain(
        snakemake.params.spec,
        Records.load(snakemake.input.records),
        Split.load(snakemake.input.split),
        read_table(snakemake.input.chosen)["row"].to_numpy(),
        Path(snakemake.params.checkpoint),
        pick_device(snakemake.threads),
        name="{study}/{run}/{kind}".format(**snakemake.wildcards),
    )
    save_arrays(snakemake.output[0], logits)
for checkpoint in checkpoints:  # now that everything is written
    checkpoint.discard()
