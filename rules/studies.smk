# Studies: each a table, a page and a figure from the target models at its points. `snakemake study_NAME`.
OF_STUDY = {"category": "studies", "subcategory": "{study}"}
EXPLANATION = filled(paths.explanation, name="explanation.{form}")


rule sweep:
    input:
        results=by_wildcards(study_jobs.results),
        histories=by_wildcards(study_jobs.private_histories),
    output:
        **page_outputs(
            paths.study_page,
            "sweep",
            "leakage and accuracies at every point",
            **OF_STUDY,
        ),
        csv=filled(paths.study_table, table="sweep"),
    log:
        paths.log("sweep/{study}"),
    wildcard_constraints:
        study="|".join(study_jobs.names("sweep")) or NONE,
    conda:
        "../envs/analysis.yaml"
    params:
        spec=by_wildcards(study_jobs.sweep),
        code=code_of("sweep"),
    script:
        "../scripts/sweep.py"


rule sweep_figure:
    input:
        table=filled(paths.study_table, table="sweep"),
    output:
        **figure_outputs(
            filled(paths.study_figure, figure="sweep"),
            "sweep",
            "leakage and accuracies",
            **OF_STUDY,
        ),
    log:
        paths.log("sweep_figure/{study}"),
    localrule: True
    conda:
        "../envs/analysis.yaml"
    params:
        spec=by_wildcards(study_jobs.sweep_figure),
        code=code_of("sweep_figure"),
    script:
        "../scripts/sweep_figure.py"


rule transfer:
    input:
        unpack(by_wildcards(study_jobs.transfer_inputs)),
        records=by_wildcards(study_jobs.of_data, pattern=paths.records),
    output:
        **page_outputs(
            paths.study_page,
            "transfer",
            "what an attacker loses by not knowing",
            **OF_STUDY,
        ),
        **figure_outputs(
            filled(paths.study_figure, figure="transfer"),
            "transfer",
            "attacks by shadow models and targets",
            **OF_STUDY,
        ),
        csv=filled(paths.study_table, table="transfer"),
    log:
        paths.log("transfer/{study}"),
    wildcard_constraints:
        study="|".join(study_jobs.names("transfer")) or NONE,
    conda:
        "../envs/analysis.yaml"
    params:
        spec=by_wildcards(study_jobs.transfer),
        code=code_of("transfer", study_jobs.transfer),
    script:
        "../scripts/transfer.py"


# How far records are from the decision boundary of one target model.
rule boundary:
    input:
        records=by_wildcards(study_jobs.of_run, pattern=paths.records),
        split=by_wildcards(study_jobs.of_run, pattern=paths.split),
        model=by_wildcards(study_jobs.of_run, pattern=paths.model),
    output:
        paths.boundary,
    log:
        paths.log("boundary/{study}_{run}_seed{seed}"),
    conda:
        "../envs/training.yaml"
    threads: 1
    resources:
        gpu=1,
    params:
        spec=by_wildcards(study_jobs.boundary),
        code=code_of("boundary", study_jobs.boundary),
    script:
        "../scripts/boundary.py"


rule outputs:
    input:
        unpack(by_wildcards(study_jobs.output_inputs)),
        records=by_wildcards(study_jobs.of_data, pattern=paths.records),
    output:
        **page_outputs(
            paths.study_page, "outputs", "what changed outputs help", **OF_STUDY
        ),
        **figure_outputs(
            filled(paths.study_figure, figure="outputs"),
            "outputs",
            "attacks on changed outputs",
            **OF_STUDY,
        ),
        csv=filled(paths.study_table, table="outputs"),
    log:
        paths.log("outputs/{study}"),
    wildcard_constraints:
        study="|".join(study_jobs.names("outputs")) or NONE,
    conda:
        "../envs/analysis.yaml"
    params:
        spec=by_wildcards(study_jobs.outputs),
        code=code_of("outputs", study_jobs.outputs),
    script:
        "../scripts/outputs.py"


# The members that are left out one at a time, and the models that are trained again.
rule sensitivity_records:
    input:
        by_wildcards(study_jobs.of_first_seed, pattern=paths.record_results),
    output:
        paths.left_out_records,
    log:
        paths.log("sensitivity_records/{study}"),
    localrule: True
    conda:
        "../envs/analysis.yaml"
    params:
        spec=by_wildcards(study_jobs.sensitivity_records),
        code=code_of("sensitivity_records"),
    script:
        "../scripts/sensitivity_records.py"


rule retrain:
    input:
        records=lambda wildcards: study_jobs.of_data(wildcards.study, paths.records),
        split=lambda wildcards: study_jobs.of_data(wildcards.study, paths.split),
        chosen=paths.left_out_records,
    output:
        paths.retrained,
    log:
        paths.log("retrain/{study}_{run}_{kind}_batch{batch}"),
    wildcard_constraints:
        kind="without|again",
    conda:
        "../envs/training.yaml"
    threads: 1
    resources:
        gpu=1,
    params:
        spec=by_wildcards(study_jobs.retrain),
        code=code_of("retrain", study_jobs.retrain),
        checkpoint=by_wildcards(study_jobs.retraining_checkpoint),
    script:
        "../scripts/retrain.py"


rule sensitivity:
    input:
        chosen=paths.left_out_records,
        retrained=by_wildcards(study_jobs.retrained),
    output:
        **page_outputs(
            paths.study_page,
            "sensitivity",
            "sensitivity to single records",
            **OF_STUDY,
        ),
        **figure_outputs(
            filled(paths.study_figure, figure="sensitivity"),
            "sensitivity",
            "sorted sensitivities",
            **OF_STUDY,
        ),
        csv=filled(paths.study_table, table="sensitivity"),
        summary=filled(paths.study_table, table="summary"),
    log:
        paths.log("sensitivity/{study}"),
    wildcard_constraints:
        study="|".join(study_jobs.names("sensitivity")) or NONE,
    conda:
        "../envs/analysis.yaml"
    params:
        spec=by_wildcards(study_jobs.sensitivity),
        code=code_of("sensitivity"),
    script:
        "../scripts/sensitivity.py"


# What goes with leakage, over all runs and points of all sweeps.
rule explanation:
    input:
        expand(
            filled(paths.study_table, table="sweep"), study=study_jobs.names("sweep")
        ),
    output:
        **page_outputs(
            EXPLANATION, "explanation", "what goes with leakage", category="studies"
        ),
        **figure_outputs(
            EXPLANATION,
            "explanation",
            "leakage against gaps and margins",
            category="studies",
        ),
        rows=filled(paths.explanation, name="runs_and_points.csv"),
        csv=filled(paths.explanation, name="explanation.csv"),
    log:
        paths.log("explanation"),
    localrule: True
    conda:
        "../envs/analysis.yaml"
    params:
        studies=study_jobs.names("sweep"),
        code=code_of("explanation"),
    script:
        "../scripts/explanation.py"


STUDIES = [file for study in study_jobs.names() for file in study_jobs.files(study)]
if study_jobs.names("sweep"):
    STUDIES.append(filled(paths.explanation, name="explanation.md"))


for study in study_jobs.names():

    rule:
        name:
            f"study_{study}"
        input:
            study_jobs.files(study),
        localrule: True


rule studies:
    input:
        asked_for(
            STUDIES,
            "there are no studies in this configuration; give a file that has some: --configfile configs/studies.yaml",
        ),
