# One HTML file of the tables and figures, with what they show and how they came about. Its first page has the conclusions.
rule report:
    input:
        rules.tables.input,
        FIGURES,
        STUDIES,
        conclusions=targets.expand(paths.table, table="conclusions"),
    output:
        html=paths.report,
        config=paths.report_config,
        page=paths.report_page,
    log:
        paths.log("report"),
    localrule: True
    conda:
        "../envs/report.yaml"
    params:
        config=config,
        code=code_of("report"),
        captions=digest(
            *(
                path.read_text()
                for path in sorted(Path(workflow.basedir).glob("report/*.rst"))
            )
        ),
    script:
        "../scripts/report.py"
