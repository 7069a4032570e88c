"""The table of verifiers of one data set, for people."""

from pathlib import Path

from robustmia.jobs import job

with job(snakemake):
    from robustmia.table_files import read_table
    from robustmia.tables import missing_note, render, verification_note, verification_table

    table = verification_table(read_table(snakemake.input.verification))
    note = "\n\n".join([verification_note(snakemake.params.spec), *missing_note(snakemake.params.missing)])
    for form in ("markdown", "html"):
        text = render(form, table, note)
        Path(snakemake.output[form]).write_text(text, encoding="utf-8")
