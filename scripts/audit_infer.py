"""Membership inference against somebody else's model."""

from robustmia.workflow.job import job

with job(snakemake):
    from robustmia.audit.results import audit_tables
    from robustmia.audit.signal_files import AuditedSignals
    from robustmia.files.tables import write_table
    from robustmia.inference.attacks.base import load_attacks
    from robustmia.inference.evaluate import load_columns
    from robustmia.inference.settings import AttackSettings

    spec = snakemake.params.spec
    audited = AuditedSignals.load(snakemake.input.signals)
    attacks = load_attacks(spec["strategies"], AttackSettings(**spec["attacks"]))
    columns = load_columns(spec["columns"])
    tables = audit_tables(spec["identity"], audited, attacks, columns, spec["in_verified_ball"])
    write_table(tables.membership_inference, snakemake.output.membership_inference)
    write_table(tables.robustness, snakemake.output.robustness)
    write_table(tables.records, snakemake.output.records)
    write_table(tables.strongest.to_frame().T, snakemake.output.strongest)
    for name, table in tables.curves.items():
        write_table(table, snakemake.output[name])
