"""Train some of the shadow models of one run."""

from pathlib import Path

from robustmia.jobs import job

with job(snakemake):
    from robustmia.data.records import Records
    from robustmia.device import pick_device
    from robustmia.shadows import train_shadows
    from robustmia.table_files import write_table
    from robustmia.weight_files import save_weights

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
