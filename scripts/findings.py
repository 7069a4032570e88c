"""Which run leaks most under the strongest honest attack, and what differs from natural training for real."""

from pathlib import Path

from robustmia.jobs import job

with job(snakemake):
    from robustmia.data.records import Records
    from robustmia.findings import findings_table, findings_words
    from robustmia.inference.attempts import Judged
    from robustmia.inference.comparison import Summary, Targets, compare
    from robustmia.table_files import write_table
    from robustmia.tables import missing_note, render_text

    spec, files = snakemake.params.spec, iter(snakemake.input.judged)
    runs = {}
    for run, method in spec["methods"].items():  # one after the other: calls of one run are all that has to fit
        judged = [Judged.load(next(files)) for _ in spec["seeds"]]
        runs[run] = Summary.of(method, Targets.of(judged, len(Records.load(snakemake.input.records).labels)))
    table = compare(runs)
    write_table(table.assign(dataset=spec["dataset"])[["dataset", *table]], snakemake.output.csv)
    text, words = findings_table(table), "\n\n".join([*findings_words(table), *missing_note(spec["missing"])])
    for form in ("markdown", "html"):
        Path(snakemake.output[form]).write_text(render_text(form, text, words), encoding="utf-8")
