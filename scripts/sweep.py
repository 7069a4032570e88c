"""What changes from point to point of a study: tables, words and a figure."""

from robustmia.workflow.job import job

with job(snakemake):
    from robustmia.files.atomic import write_text
    from robustmia.files.tables import read_table, write_table
    from robustmia.inference.record_results import RecordResults
    from robustmia.reporting.studies import sweep_text, sweep_text_table
    from robustmia.reporting.tables import render_text
    from robustmia.studies.sweep import TargetsAt, sweep_table

    spec, inputs = snakemake.params.spec, snakemake.input

    def privacy(private):
        """Epsilon and delta of the trainings of one run at one point, which have as many members each."""
        if private is None:
            return None
        return float(read_table(inputs.histories[private["history"]])["privacy_epsilon"].iloc[-1]), private["delta"]

    targets = [
        TargetsAt(
            **target,
            results=[RecordResults.load(inputs.results[number]) for number in files["results"]],
            privacy=privacy(files["private"]),
        )
        for target, files in zip(spec["targets"], spec["files"], strict=True)
    ]
    table = sweep_table(targets)
    write_table(table, snakemake.output.csv)
    text = sweep_text_table(table)
    words = "\n\n".join(sweep_text(table, spec["keys"], spec["is_evaluated_alike"]))
    for form in ("markdown", "html"):
        write_text(snakemake.output[form], render_text(form, text, words))
