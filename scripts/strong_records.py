"""Scores and risks of every record of one target model, beside those under natural training."""

from robustmia.jobs import job

with job(snakemake):
    from robustmia.inference.attempts import Judged
    from robustmia.inference.exposure import record_table
    from robustmia.table_files import write_table

    natural = next((Judged.load(path) for path in snakemake.input.natural), None)
    table = record_table(Judged.load(snakemake.input.judged), natural)
    identity = snakemake.params.identity
    write_table(table.assign(**identity)[[*identity, *table]], snakemake.output.records)
