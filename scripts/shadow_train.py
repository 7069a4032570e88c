"""Train some of the shadow models of one run."""

from pathlib import Path

from robustmia.workflow.job import job

with job(snakemake):
    from robustmia.data.records import Records
    from robustmia.files.tables import write_table
    from robustmia.files.weights import save_weights
    from robustmia.models.device import pick_device
    from robustmia.shadow.train import train_shadows

    weights, history, checkpoints = train_shadows(
        snakemake.params.spec,
        Records.load(snakemake.input.records),
        Path(snakemake.params.checkpoint),
        pick_device(snakemake.threads),
        name="{dataset}/{run}/shadow".format(**snakemake.wildcards),
    )
    save_weights(weights, snakemake.output.models)
    write_table(history, snakemake.output.history)
for checkpoint in checkpoints:  # now that everything is written
    checkpoint.discard()
