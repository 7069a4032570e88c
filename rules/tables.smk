# Long tables of each data set, the same of all data sets, and the paper's layout.
rule collect:
    input:
        of_dataset(
            lambda dataset: plan.each_target(
                f"{RESULTS}/inference/{TARGET}/{{{{table}}}}.csv", dataset
            )
        ),
    output:
        f"{RESULTS}/tables/{{dataset}}/{{table}}.csv",
    log:
        f"{RESULTS}/logs/collect/{{dataset}}_{{table}}.log",
    wildcard_constraints:
        table="membership_inference|robustness|roc|loss_histogram|verification|margin_histogram",
    localrule: True
    conda:
        "../envs/analysis.yaml"
    params:
        code=code_of("collect"),
        missing=lambda wildcards: (
            plan.missing_targets(wildcards.dataset)
            if wildcards.table in ("membership_inference", "robustness")
            else {}
        ),
    script:
        "../scripts/collect.py"


rule collect_history:
    input:
        of_dataset(
            lambda dataset: plan.each_target(rules.train.output.history, dataset)
        ),
    output:
        f"{RESULTS}/tables/{{dataset}}/training_history.csv",
    log:
        f"{RESULTS}/logs/collect/{{dataset}}_training_history.log",
    localrule: True
    conda:
        "../envs/analysis.yaml"
    params:
        code=code_of("collect"),
    script:
        "../scripts/collect.py"


rule all_datasets:
    input:
        lambda wildcards: plan.each_dataset(
            f"{RESULTS}/tables/{{dataset}}/{wildcards.table}.csv"
        ),
    output:
        f"{RESULTS}/tables/{{table}}.csv",
    log:
        f"{RESULTS}/logs/collect/{{table}}.log",
    wildcard_constraints:
        table="membership_inference|robustness",
    localrule: True
    conda:
        "../envs/analysis.yaml"
    params:
        code=code_of("collect"),
    script:
        "../scripts/collect.py"


rule paper_table:
    input:
        robustness=f"{RESULTS}/tables/{{dataset}}/robustness.csv",
        membership=f"{RESULTS}/tables/{{dataset}}/membership_inference.csv",
    output:
        csv=f"{RESULTS}/tables/{{dataset}}/paper.csv",
        markdown=f"{RESULTS}/tables/{{dataset}}/paper.md",
        latex=f"{RESULTS}/tables/{{dataset}}/paper.tex",
        html=report(
            f"{RESULTS}/tables/{{dataset}}/paper.html",
            category="{dataset}",
            caption="../report/paper_table.rst",
            labels={"shows": "accuracies and inference accuracies, as in the paper"},
        ),
        gap=f"{RESULTS}/tables/{{dataset}}/leakage_and_gap.csv",
    log:
        f"{RESULTS}/logs/paper_table/{{dataset}}.log",
    localrule: True
    conda:
        "../envs/analysis.yaml"
    params:
        code=code_of("paper_table"),
        attack=of_dataset(plan.evaluation_attack),
        verified=of_dataset(plan.verified_ball),
        missing=of_dataset(plan.missing_words),
    script:
        "../scripts/paper_table.py"


# Which verifier certifies which run; asked for where a data set has the verified signal.
rule verification_table:
    input:
        verification=f"{RESULTS}/tables/{{dataset}}/verification.csv",
    output:
        markdown=f"{RESULTS}/tables/{{dataset}}/verification.md",
        html=report(
            f"{RESULTS}/tables/{{dataset}}/verification.html",
            category="{dataset}",
            caption="../report/verification_table.rst",
            labels={"shows": "verified accuracy under each verifier"},
        ),
    log:
        f"{RESULTS}/logs/verification_table/{{dataset}}.log",
    localrule: True
    conda:
        "../envs/analysis.yaml"
    params:
        spec=of_dataset(plan.verified_ball),
        code=code_of("verification_table"),
        missing=of_dataset(plan.missing_words),
    script:
        "../scripts/verification_table.py"


# The strongest honest strategy of each run, and what differs from natural training: with and without shadow models.
for stage, prefix, means in (
    ("inference", "", ""),
    ("strong", "strong_", ", with shadow models"),
):

    rule:
        name:
            f"{prefix}findings"
        input:
            records=rules.fetch.output.records,
            judged=at_stage(plan.judged, stage),
        output:
            csv=f"{RESULTS}/tables/{{dataset}}/{prefix}findings.csv",
            markdown=f"{RESULTS}/tables/{{dataset}}/{prefix}findings.md",
            html=report(
                f"{RESULTS}/tables/{{dataset}}/{prefix}findings.html",
                category="{dataset}",
                caption="../report/findings.rst",
                labels={
                    "shows": f"who leaks most, and what differs from natural training{means}"
                },
            ),
        log:
            f"{RESULTS}/logs/{prefix}findings/{{dataset}}.log",
        conda:
            "../envs/analysis.yaml"
        params:
            spec=at_stage(plan.comparison, stage),
            code=code_of("findings"),
        script:
            "../scripts/findings.py"


rule tables:
    input:
        expand(
            f"{RESULTS}/tables/{{table}}.csv",
            table=["membership_inference", "robustness"],
        ),
        [
            path
            for pattern in [*rules.paper_table.output, *rules.findings.output]
            for path in plan.each_dataset(pattern)
        ],
        [
            path
            for pattern in rules.verification_table.output
            for path in plan.each_verified_dataset(pattern)
        ],
