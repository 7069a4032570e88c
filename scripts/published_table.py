"""The paper's published numbers beside ours, for one data set."""

from robustmia.workflow.job import job

with job(snakemake):
    from robustmia.files.tables import read_table, write_table
    from robustmia.reporting.published import published_comparison, published_table, published_text
    from robustmia.reporting.tables import write_page

    spec, files = snakemake.params.spec, snakemake.input
    comparison = published_comparison(spec["source"], read_table(files.robustness), read_table(files.over_seeds))
    write_table(comparison, snakemake.output.csv)
    write_page(snakemake.output, published_table(comparison), published_text(comparison, spec["differences"]))
