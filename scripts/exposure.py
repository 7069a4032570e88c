"""Who is exposed by which model, and whether models agree on it."""

from robustmia.jobs import job

with job(snakemake):
    from robustmia.inference.attempts import Judged
    from robustmia.inference.exposure import agreement_table, exposure_table
    from robustmia.table_files import write_table

    spec = snakemake.params.spec
    targets = [(run, seed) for run in spec["methods"] for seed in spec["seeds"]]
    judged = {target: Judged.load(path) for target, path in zip(targets, snakemake.input.judged, strict=True)}
    exposure = exposure_table(judged, spec["natural"])
    write_table(exposure, snakemake.output.exposure)
    write_table(agreement_table(exposure), snakemake.output.agreement)
