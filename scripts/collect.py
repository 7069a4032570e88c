"""Put tables of the same columns together."""

from robustmia.workflow.job import job

with job(snakemake):
    from robustmia.files.tables import write_table
    from robustmia.reporting.tables import concatenate

    write_table(concatenate(snakemake.input), snakemake.output[0])
