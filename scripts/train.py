"""Train one target model."""

from pathlib import Path

from robustmia.workflow.job import job

with job(snakemake):
    from robustmia.data.records import Records
    from robustmia.data.split import Split
    from robustmia.files.tables import write_table
    from robustmia.files.weights import save_weights
    from robustmia.models.device import pick_device
    from robustmia.training.loop import Trainer

    spec, identity = snakemake.params.spec, snakemake.params.identity
    trainer = Trainer.of_spec(
        spec,
        Records.load(snakemake.input.records),
        Split.load(snakemake.input.split),
        Path(snakemake.params.checkpoint),
        pick_device(snakemake.threads),
        name="{dataset}/{run}/seed{seed}".format(**identity),
    )
    model, history = trainer.run()
    save_weights(model.state_dict(), snakemake.output.model)
    write_table(history.assign(**identity)[[*identity, *history]], snakemake.output.history)
trainer.checkpoint.discard()  # now that everything is written
