"""The report of an audit as a page, and its figures."""

from pathlib import Path

from robustmia.workflow.job import job

with job(snakemake):
    from robustmia.audit.page import Audit, audit_page, draw_figures
    from robustmia.audit.signal_files import AuditedSignals
    from robustmia.audit.words import audit_subject
    from robustmia.data.records import Records
    from robustmia.files.atomic import write_text
    from robustmia.files.tables import read_table
    from robustmia.reporting.page.page import provenance

    spec, files = snakemake.params.spec, snakemake.input
    audit = Audit(
        name=snakemake.wildcards.audit,
        subject=audit_subject(spec["subject"], spec["images"]),
        signals=AuditedSignals.load(files.signals),
        membership=read_table(files.membership_inference),
        robustness=read_table(files.robustness),
        by_record=read_table(files.records_table),
        strongest=read_table(files.strongest).iloc[0],
        records=next((Records.load(path) for path in files.records), None),
        provenance=provenance([files.spec]),
    )
    tables = {Path(path).stem: path for path in (files.roc, files.loss_histogram, files.margin_histogram)}
    drawings = draw_figures(spec["figures"], audit.name, tables, Path(snakemake.output.figures))
    write_text(snakemake.output.page, audit_page(audit, drawings))
