# One HTML file of the tables and figures, with what they show and how they came about. Its first page has the findings.
for prefix, targets, findings, stage in (
    ("", ["tables", "figures"], plan.each_dataset, "inference"),
    (
        "strong_",
        ["tables", "figures", "strong_results"],
        plan.each_strong_dataset,
        "strong",
    ),
):

    rule:
        name:
            f"{prefix}report"
        input:
            [getattr(rules, target).input for target in targets],
            findings=findings(f"{RESULTS}/tables/{{dataset}}/{prefix}findings.csv"),
        output:
            html=f"{RESULTS}/{prefix}report.html",
            config=f"{RESULTS}/{prefix}config.yaml",
            page=f"{RESULTS}/{prefix}report.rst",
        log:
            f"{RESULTS}/logs/{prefix}report.log",
        localrule: True
        conda:
            "../envs/report.yaml"
        params:
            config=config,
            targets=targets,
            code=code_of("report"),
            missing=plan.everything_missing(stage),
            captions=plan.captions(Path(workflow.basedir) / "report"),
            introduction=str(Path(workflow.basedir) / "report" / "workflow.rst"),
            snakefile=str(workflow.main_snakefile),
        script:
            "../scripts/report.py"


# Everything that needs shadow models, beside what `all` makes.
rule strong_attacks:
    input:
        rules.all_strong.output,
        rules.strong_results.input,
        rules.strong_report.output,
