# Long tables of each data set, the same of all data sets, and tables for people.
rule collect:
    input:
        lambda wildcards: targets.expand(
            (
                paths.history
                if wildcards.table == "training_history"
                else filled(paths.target_table, table=wildcards.table)
            ),
            dataset=wildcards.dataset,
        ),
    output:
        paths.table,
    log:
        paths.log("collect/{dataset}_{table}"),
    wildcard_constraints:
        table="|".join([*TABLES, "training_history"]),
    localrule: True
    conda:
        "../envs/analysis.yaml"
    params:
        code=code_of("collect"),
    script:
        "../scripts/collect.py"


rule all_datasets:
    input:
        expanded(paths.table),
    output:
        paths.joined_table,
    log:
        paths.log("collect/{table}"),
    wildcard_constraints:
        table="|".join(JOINED_TABLES),
    localrule: True
    conda:
        "../envs/analysis.yaml"
    params:
        code=code_of("collect"),
    script:
        "../scripts/collect.py"


rule paper_table:
    input:
        robustness=filled(paths.table, table="robustness"),
        membership=filled(paths.table, table="membership_inference"),
        over_seeds=filled(paths.table, table="membership_over_seeds"),
    output:
        **page_outputs(
            filled(paths.rendered, table="paper"),
            "paper_table",
            TABLE_TITLES["paper"],
            category="{dataset}",
        ),
        csv=filled(paths.table, table="paper"),
        latex=filled(paths.rendered, table="paper", form="tex"),
        gap=filled(paths.table, table="leakage_and_gap"),
    log:
        paths.log("paper_table/{dataset}"),
    localrule: True
    conda:
        "../envs/analysis.yaml"
    params:
        spec=by_wildcards(specs.paper_table),
        code=code_of("paper_table"),
    script:
        "../scripts/paper_table.py"


# Which verifier certifies which run; asked for where a data set has the verified signal.
rule verification_table:
    input:
        verification=filled(paths.table, table="verification"),
    output:
        **page_outputs(
            filled(paths.rendered, table="verification"),
            "verification_table",
            TABLE_TITLES["verification"],
            category="{dataset}",
        ),
    log:
        paths.log("verification_table/{dataset}"),
    localrule: True
    conda:
        "../envs/analysis.yaml"
    params:
        spec=by_wildcards(specs.paper_table),
        code=code_of("verification_table"),
    script:
        "../scripts/verification_table.py"


# The paper's published numbers beside ours; asked for where a data set is one of the paper's.
rule published_table:
    input:
        robustness=filled(paths.table, table="robustness"),
        over_seeds=filled(paths.table, table="membership_over_seeds"),
    output:
        **page_outputs(
            filled(paths.rendered, table="published"),
            "published_table",
            TABLE_TITLES["published"],
            category="{dataset}",
        ),
        csv=filled(paths.table, table="published"),
    log:
        paths.log("published_table/{dataset}"),
    localrule: True
    conda:
        "../envs/analysis.yaml"
    params:
        spec=by_wildcards(specs.published_table),
        numbers=texts_in("scripts/robustmia/reporting", "published.csv"),
        code=code_of("published_table"),
    script:
        "../scripts/published_table.py"


# Every attack's numbers over the seeds, the strongest honest attack on each run, and how runs differ from natural training.
rule conclusions:
    input:
        data=paths.records,
        records=expanded(paths.record_results),
    output:
        **page_outputs(
            filled(paths.rendered, table="conclusions"),
            "conclusions",
            TABLE_TITLES["conclusions"],
            category="{dataset}",
        ),
        over_seeds=filled(paths.table, table="membership_over_seeds"),
        csv=filled(paths.table, table="conclusions"),
    log:
        paths.log("conclusions/{dataset}"),
    conda:
        "../envs/analysis.yaml"
    params:
        spec=by_wildcards(specs.conclusions),
        code=code_of("conclusions"),
    script:
        "../scripts/conclusions.py"


rule tables:
    input:
        STEPS,
        targets.expand(paths.joined_table, table=JOINED_TABLES),
        targets.expand(filled(paths.rendered, form="md")),
        targets.expand(paths.target_records) if settings.shadow_models else [],
