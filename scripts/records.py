"""Scores and risks of every record of one target model, beside those under natural training."""

from robustmia.workflow.job import job

with job(snakemake):
    from robustmia.data.records import load_names
    from robustmia.files.tables import write_table
    from robustmia.inference.record_results import RecordResults
    from robustmia.inference.record_risk import record_table

    natural = next((RecordResults.load(path) for path in snakemake.input.natural), None)
    table = record_table(RecordResults.load(snakemake.input.records), natural, load_names(snakemake.input.data))
    identity = snakemake.params.identity
    write_table(table.assign(**identity)[[*identity, *table]], snakemake.output.table)
