"""Which records are at risk under each model, and whether models agree on it."""

from robustmia.workflow.job import job

with job(snakemake):
    from robustmia.files.tables import write_table
    from robustmia.inference.record_results import RecordResults
    from robustmia.inference.record_risk import agreement_table, risk_table

    spec = snakemake.params.spec
    targets = [(run, seed) for run in spec["methods"] for seed in spec["seeds"]]
    results = {target: RecordResults.load(path) for target, path in zip(targets, snakemake.input.records, strict=True)}
    risks = risk_table(results, spec["natural"])
    write_table(risks, snakemake.output.risk)
    write_table(agreement_table(risks), snakemake.output.agreement)
