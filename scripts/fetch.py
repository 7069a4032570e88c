"""Bring one data set into the form that every other job reads."""

from pathlib import Path

from robustmia.workflow.job import job

with job(snakemake):
    import logging

    from robustmia.settings import instantiate

    records = instantiate(snakemake.params.spec["source"]).load(Path(snakemake.params.data_dir))
    logging.getLogger("robustmia").info("%s", records.in_words())
    records.save(snakemake.output.records)
