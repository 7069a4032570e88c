"""Membership inference against one target model."""

from robustmia.jobs import job

with job(snakemake):
    from robustmia.inference.evaluate import evaluate
    from robustmia.logits import Signal
    from robustmia.table_files import write_table

    signals = {name: Signal.load(path) for name, path in snakemake.input.items()}
    results = evaluate(snakemake.params.spec, signals)
    for name, table in vars(results).items():
        write_table(table, snakemake.output[name])
