"""Membership inference against one target model."""

from robustmia.jobs import job

with job(snakemake):
    import numpy as np

    from robustmia.data.split import Split
    from robustmia.inference.evaluate import evaluate
    from robustmia.logits import SignalLogits
    from robustmia.table_files import write_table

    spec, split = snakemake.params.spec, Split.load(snakemake.input.split)
    files = zip(spec["signals"], snakemake.input.signals, strict=True)
    signals = {name: SignalLogits.load(path) for name, path in files}
    rows = np.concatenate([split.members, split.nonmembers])
    tables, judged = evaluate(spec["identity"], signals, rows, spec["own_verifier"], spec["in_verified_ball"])
    for name, table in vars(tables).items():
        write_table(table, snakemake.output[name])
    judged.save(snakemake.output.judged)
