"""Membership inference against somebody else's model."""

from pathlib import Path

from robustmia.jobs import job

with job(snakemake):
    from robustmia.audit.results import audit_report, audit_tables
    from robustmia.audit.signal_files import load_signals
    from robustmia.table_files import write_table

    spec = snakemake.params.spec
    signals, notes = load_signals(snakemake.input.signals)
    membership, robustness, strongest = audit_tables(spec["identity"], signals)
    write_table(membership, snakemake.output.membership_inference)
    write_table(robustness, snakemake.output.robustness)
    named = {"dataset": spec["identity"]["dataset"], **spec["settings"]}
    about = [f"{key.replace('_', ' ')}: {value}" for key, value in named.items() if value is not None]
    report = audit_report(about, notes, membership, robustness, strongest)
    Path(snakemake.output.report).write_text(report, encoding="utf-8")
