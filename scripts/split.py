"""Draw members and non-members."""

from robustmia.workflow.job import job

with job(snakemake):
    import logging

    from robustmia.data.records import Records
    from robustmia.data.split import MANY_DUPLICATES, draw_split, duplicates, duplicates_in_words
    from robustmia.settings import SplitSettings

    spec, records = snakemake.params.spec, Records.load(snakemake.input.records)
    split = draw_split(records, SplitSettings(**spec["split"]), spec["seed"])
    count, nonmembers = len(duplicates(records.images, split.members, split.nonmembers)), len(split.nonmembers)
    if count:
        level = logging.WARNING if count > MANY_DUPLICATES * nonmembers else logging.INFO
        logging.getLogger("robustmia").log(level, "%s", duplicates_in_words(count, nonmembers))
    split.save(snakemake.output.split)
