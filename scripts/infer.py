"""Membership inference against one target model."""

from robustmia.jobs import job

with job(snakemake):
    from robustmia.inference.evaluate import evaluate
    from robustmia.logits import SignalLogits
    from robustmia.table_files import write_table

    spec = snakemake.params.spec
    signals = {name: SignalLogits.load(path) for name, path in zip(spec["signals"], snakemake.input, strict=True)}
    results = evaluate(spec["identity"], signals, spec["own_verifier"], spec["in_verified_ball"])
    for name, table in vars(results).items():
        write_table(table, snakemake.output[name])
