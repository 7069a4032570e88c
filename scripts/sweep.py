"""What changes from point to point of a study: tables, words and a figure."""

from robustmia.workflow.job import job

with job(snakemake):
    from robustmia.files.tables import read_table, write_table
    from robustmia.inference.record_results import RecordResults
    from robustmia.reporting.studies import sweep_text, sweep_text_table
    from robustmia.reporting.tables import write_page
    from robustmia.studies.sweep import TargetsAt, sweep_table

    def privacy(private):
        """Epsilon and delta of the trainings of one run at one point, which have as many members each."""
        return private and (float(read_table(private["history"])["privacy_epsilon"].iloc[-1]), private["delta"])

    spec = snakemake.params.spec
    results = {path: RecordResults.load(path) for path in snakemake.input.results}
    targets = [
        TargetsAt(
            **{name: target[name] for name in ("point", "values", "run", "method", "is_shown")},
            results=[results[path] for path in target["results"]],
            privacy=privacy(target["private"]),
        )
        for target in spec["targets"]
    ]
    table = sweep_table(targets)
    write_table(table, snakemake.output.csv)
    text = sweep_text_table(table)
    write_page(snakemake.output, text, sweep_text(table, spec["keys"], spec["is_evaluated_alike"]))
