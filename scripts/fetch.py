"""Bring one data set into the form that every other job reads."""

from pathlib import Path

from robustmia.workflow.job import job

with job(snakemake):
    from robustmia.settings import instantiate

    source = instantiate(snakemake.params.spec["source"])
    source.load(Path(snakemake.params.data_dir)).save(snakemake.output.records)
