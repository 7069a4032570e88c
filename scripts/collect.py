"""Put tables of the same columns together."""

from robustmia.jobs import job

with job(snakemake):
    from robustmia.table_files import write_table
    from robustmia.tables import concatenate

    write_table(concatenate(snakemake.input), snakemake.output[0])
