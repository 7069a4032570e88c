# One HTML file of the tables and figures, with what they show and how they came about.
rule report:
    input:
        rules.tables.input,
        rules.figures.input,
    output:
        html=f"{RESULTS}/report.html",
        config=f"{RESULTS}/config.yaml",
    log:
        f"{RESULTS}/logs/report.log",
    localrule: True
    conda:
        "../envs/report.yaml"
    params:
        config=config,
        code=code_of("report"),
        captions=plan.captions(Path(workflow.basedir) / "report"),
        snakefile=str(workflow.main_snakefile),
    script:
        "../scripts/report.py"
