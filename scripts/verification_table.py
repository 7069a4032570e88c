"""The table of verifiers of one data set, for people."""

from robustmia.workflow.job import job

with job(snakemake):
    from robustmia.files.atomic import write_text
    from robustmia.files.tables import read_table
    from robustmia.reporting.tables import render, verification_note, verification_table

    verification = read_table(snakemake.input.verification)
    table, note = verification_table(verification), verification_note(verification, snakemake.params.spec["quotes"])
    for form in ("markdown", "html"):
        write_text(snakemake.output[form], render(form, table, note))
