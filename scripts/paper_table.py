"""The paper's table of one data set, for machines, for people and for papers."""

from robustmia.workflow.job import job

with job(snakemake):
    from robustmia.files.atomic import write_text
    from robustmia.files.tables import read_table, write_table
    from robustmia.reporting.tables import leakage_and_gap, paper_note, paper_table, render

    files = snakemake.input
    robustness, membership, over_seeds = map(read_table, (files.robustness, files.membership, files.over_seeds))
    table = paper_table(robustness, membership)
    write_table(table, snakemake.output.csv)
    note = paper_note(membership, snakemake.params.spec["quotes"])
    for form in ("markdown", "latex", "html"):
        write_text(snakemake.output[form], render(form, table, note))
    write_table(leakage_and_gap(robustness, membership, over_seeds), snakemake.output.gap)
