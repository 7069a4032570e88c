"""Write the report: one page of the answer, the tables and the figures, on the configuration in force."""

from pathlib import Path

from robustmia.workflow.job import job

with job(snakemake):
    import yaml

    from robustmia.files.atomic import write_text
    from robustmia.reporting.page.report import report_page

    params = snakemake.params
    write_text(snakemake.output.config, yaml.safe_dump(params.config, sort_keys=False))
    captions = {
        file.stem: file.read_text(encoding="utf-8")
        for file in (Path(snakemake.scriptdir).parent / "report").glob("*.rst")
    }
    write_text(snakemake.output.html, report_page(params.spec, params.config, captions))
