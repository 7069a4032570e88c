"""Every attack's numbers over the seeds, the strongest honest attack on each run, and how runs differ from natural training."""

from robustmia.workflow.job import job

with job(snakemake):
    import pandas as pd

    from robustmia.data.records import Records
    from robustmia.data.split import duplicates, duplicates_in_words
    from robustmia.files.atomic import write_text
    from robustmia.files.tables import write_table
    from robustmia.inference.comparison import RunSummary, compare
    from robustmia.inference.over_seeds import numbers_of, over_seeds_table
    from robustmia.inference.record_results import RecordResults
    from robustmia.reporting.conclusions import conclusions_table, conclusions_text
    from robustmia.reporting.tables import render_text

    spec, files = snakemake.params.spec, iter(snakemake.input.records)
    images, runs, over_seeds, natural, copies = Records.load(snakemake.input.data).images, {}, [], {}, []
    # One run after the other: the results of one have to fit, and the numbers of the natural one, which comes first.
    for run, method in spec["methods"].items():
        results = [RecordResults.load(next(files)) for _ in spec["seeds"]]
        runs[run] = RunSummary.of(method, results, len(images))
        numbers = numbers_of(results, len(images))
        over_seeds.append(over_seeds_table(run, method, results[0], numbers, natural))
        natural = numbers if run == spec["natural"] else natural
        sides = [(part.rows[part.is_member], part.rows[~part.is_member]) for part in results]  # the same for every run
        copies = copies or [(len(duplicates(images, *rows)), len(rows[1])) for rows in sides]
    over_seeds = pd.concat(over_seeds)
    write_table(over_seeds.assign(dataset=spec["dataset"])[["dataset", *over_seeds]], snakemake.output.over_seeds)
    table = compare(runs).assign(duplicates=duplicates_in_words(*max(copies)))
    write_table(table.assign(dataset=spec["dataset"])[["dataset", *table]], snakemake.output.csv)
    text, words = conclusions_table(table), "\n\n".join(conclusions_text(table))
    for form in ("markdown", "html"):
        write_text(snakemake.output[form], render_text(form, text, words))
