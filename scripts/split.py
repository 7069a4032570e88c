"""Draw members and non-members."""

from robustmia.workflow.job import job

with job(snakemake):
    from robustmia.data.records import Records
    from robustmia.data.split import draw_split
    from robustmia.settings import SplitSettings

    spec = snakemake.params.spec
    split = draw_split(Records.load(snakemake.input.records), SplitSettings(**spec["split"]), spec["seed"])
    split.save(snakemake.output.split)
