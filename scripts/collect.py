"""Put tables of the same columns together."""

from robustmia.jobs import job

with job(snakemake):
    from robustmia.table_files import write_table
    from robustmia.tables import concatenate

    missing = snakemake.params.get("missing", {})
    write_table(concatenate(snakemake.input, missing), snakemake.output[0])
