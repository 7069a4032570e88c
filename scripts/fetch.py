"""Bring one data set into the form that every other job reads."""

from pathlib import Path
from pkgutil import resolve_name

from robustmia.jobs import job

with job(snakemake):
    source = snakemake.params.spec["source"]
    dataset = resolve_name(source["class"])(**source["settings"])
    dataset.load(Path(snakemake.params.data_dir)).save(snakemake.output.records)
