# One HTML page of the answer, the tables and the figures, which needs no other file.
rule report:
    input:
        rules.tables.input,
        FIGURES,
        STUDIES,
        pages=report_job.inputs(),
    output:
        html=paths.report,
        config=paths.report_config,
    log:
        paths.log("report"),
    localrule: True
    conda:
        "../envs/report.yaml"
    params:
        spec=report_job.spec(),
        config=config,
        code=code_of("report"),
        captions=CAPTIONS,
        templates=TEMPLATES,
    script:
        "../scripts/report.py"


# Snakemake's own report: which job made which file, from what, when and with which code.
rule provenance:
    input:
        page=paths.report,
        config=paths.report_config,
    output:
        html=paths.provenance,
    log:
        paths.log("provenance"),
    localrule: True
    conda:
        "../envs/report.yaml"
    params:
        code=code_of("provenance"),
        captions=CAPTIONS,
    script:
        "../scripts/provenance.py"
