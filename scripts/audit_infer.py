"""Membership inference against somebody else's model."""

from robustmia.workflow.job import job

with job(snakemake):
    from robustmia.audit.results import audit_report, audit_subject, audit_tables
    from robustmia.audit.signal_files import load_signals
    from robustmia.files.atomic import write_text
    from robustmia.files.tables import write_table
    from robustmia.inference.attacks.base import load_attacks
    from robustmia.inference.evaluate import load_columns

    spec = snakemake.params.spec
    signals, notes = load_signals(snakemake.input.signals)
    attacks = load_attacks(spec["strategies"], spec["targeted_classifier"])
    columns = load_columns(spec["columns"])
    results = audit_tables(spec["identity"], signals, attacks, columns, spec["in_verified_ball"])
    membership, robustness, strongest = results
    write_table(membership, snakemake.output.membership_inference)
    write_table(robustness, snakemake.output.robustness)
    report = audit_report(audit_subject(spec), notes, membership, robustness, strongest)
    write_text(snakemake.output.report, report)
