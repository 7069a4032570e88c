"""Choose the members that models are trained again without."""

from robustmia.workflow.job import job

with job(snakemake):
    from robustmia.files.tables import write_table
    from robustmia.inference.record_results import RecordResults
    from robustmia.studies.sensitivity import choose

    results = [RecordResults.load(path) for path in snakemake.input]
    write_table(choose(results, **snakemake.params.spec), snakemake.output[0])
