"""The paper's table of one data set, for machines, for people and for papers."""

from pathlib import Path

from robustmia.jobs import job

with job(snakemake):
    from robustmia.table_files import read_table, write_table
    from robustmia.tables import leakage_and_gap, missing_note, paper_note, paper_table, render

    robustness, membership = read_table(snakemake.input.robustness), read_table(snakemake.input.membership)
    table = paper_table(robustness, membership)
    write_table(table, snakemake.output.csv)
    note = paper_note(membership, snakemake.params.attack, snakemake.params.verified)
    note = "\n\n".join([note, *missing_note(snakemake.params.missing)])
    for form in ("markdown", "latex", "html"):
        text = render(form, table, note)
        Path(snakemake.output[form]).write_text(text, encoding="utf-8")
    write_table(leakage_and_gap(robustness, membership), snakemake.output.gap)
