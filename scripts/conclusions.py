"""The strongest honest attack on each run, and how runs differ from natural training."""

from robustmia.workflow.job import job

with job(snakemake):
    from robustmia.data.records import Records
    from robustmia.data.split import duplicates, duplicates_in_words
    from robustmia.files.atomic import write_text
    from robustmia.files.tables import write_table
    from robustmia.inference.comparison import RunDecisions, RunSummary, compare
    from robustmia.inference.record_results import RecordResults
    from robustmia.reporting.conclusions import conclusions_table, conclusions_text
    from robustmia.reporting.tables import render_text

    spec, files = snakemake.params.spec, iter(snakemake.input.records)
    images, runs = Records.load(snakemake.input.data).images, {}
    for run, method in spec["methods"].items():  # one after the other: the decisions of one run are all that has to fit
        results = [RecordResults.load(next(files)) for _ in spec["seeds"]]
        runs[run] = RunSummary.of(method, RunDecisions.of(results, len(images)))
    sides = [(part.rows[part.is_member], part.rows[~part.is_member]) for part in results]  # the same for every run
    copies = [(len(duplicates(images, *rows)), len(rows[1])) for rows in sides]
    table = compare(runs).assign(duplicates=duplicates_in_words(*max(copies)))
    write_table(table.assign(dataset=spec["dataset"])[["dataset", *table]], snakemake.output.csv)
    text, words = conclusions_table(table), "\n\n".join(conclusions_text(table))
    for form in ("markdown", "html"):
        write_text(snakemake.output[form], render_text(form, text, words))
