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
    params:
        config=config,
        snakefile=str(workflow.main_snakefile),
    conda:
        "../envs/report.yaml"
    script:
        "../scripts/report.py"
