"""Which run leaks most under the strongest honest attack, and what differs from natural training for real."""

from pathlib import Path

from robustmia.jobs import job

with job(snakemake):
    from robustmia.findings import findings_table, findings_words
    from robustmia.inference.attempts import Judged
    from robustmia.inference.comparison import Targets, compare
    from robustmia.table_files import write_table
    from robustmia.tables import render_text

    spec, files = snakemake.params.spec, iter(snakemake.input.judged)
    judged = {run: [Judged.load(next(files)) for _ in spec["seeds"]] for run in spec["methods"]}
    records = 1 + max(int(part.rows.max()) for parts in judged.values() for part in parts)
    table = compare({run: Targets.of(parts, records) for run, parts in judged.items()}, spec["methods"])
    write_table(table.assign(dataset=spec["dataset"])[["dataset", *table]], snakemake.output.csv)
    text, words = findings_table(table), "\n\n".join(findings_words(table))
    for form in ("markdown", "html"):
        Path(snakemake.output[form]).write_text(render_text(form, text, words), encoding="utf-8")
