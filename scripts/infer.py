"""Membership inference against one target model, with the signals of shadow models if there are any."""

from robustmia.workflow.job import job

with job(snakemake):
    import numpy as np

    from robustmia.data.records import load_names
    from robustmia.data.split import Split
    from robustmia.files.signals import ShadowSignals, load_signals
    from robustmia.files.tables import write_table
    from robustmia.inference.attacks.base import load_attacks
    from robustmia.inference.evaluate import evaluate, load_columns
    from robustmia.inference.settings import AttackSettings

    spec, split = snakemake.params.spec, Split.load(snakemake.input.split)
    rows = np.concatenate([split.members, split.nonmembers])
    tables, records = evaluate(
        spec["identity"],
        load_signals(snakemake.input.signals),
        rows,
        load_attacks(spec["strategies"], AttackSettings(**spec["attacks"])),
        load_columns(spec["columns"]),
        spec["own_verifier"],
        spec["in_verified_ball"],
        ShadowSignals.load(snakemake.input.shadows, rows),
        load_names(snakemake.input.data)[rows],
    )
    for name, table in vars(tables).items():
        write_table(table, snakemake.output[name])
    records.save(snakemake.output.records)
