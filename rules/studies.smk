# Studies: each a table, a page and a figure from the target models at its points. `snakemake study_NAME`.
rule sweep:
    input:
        results=lambda wildcards: study_jobs.results(wildcards.study),
        histories=lambda wildcards: study_jobs.private_histories(wildcards.study),
    output:
        csv=filled(paths.study_table, table="sweep"),
        markdown=filled(paths.study_page, form="md"),
        html=report(
            filled(paths.study_page, form="html"),
            category="studies",
            subcategory="{study}",
            caption="../report/sweep.rst",
            labels={"shows": "leakage and accuracies at every point"},
        ),
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
        pdf=filled(paths.study_figure, figure="sweep", form="pdf"),
        svg=filled(paths.study_figure, figure="sweep", form="svg"),
        png=report(
            filled(paths.study_figure, figure="sweep", form="png"),
            category="studies",
            subcategory="{study}",
            caption="../report/sweep.rst",
            labels={"shows": "leakage and accuracies"},
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
        records=lambda wildcards: study_jobs.of_first_seed(
            wildcards.study, paths.records
        )[0],
    output:
        csv=filled(paths.study_table, table="transfer"),
        markdown=filled(paths.study_page, form="md"),
        html=report(
            filled(paths.study_page, form="html"),
            category="studies",
            subcategory="{study}",
            caption="../report/transfer.rst",
            labels={"shows": "what an attacker loses by not knowing"},
        ),
        pdf=filled(paths.study_figure, figure="transfer", form="pdf"),
        svg=filled(paths.study_figure, figure="transfer", form="svg"),
        png=report(
            filled(paths.study_figure, figure="transfer", form="png"),
            category="studies",
            subcategory="{study}",
            caption="../report/transfer.rst",
            labels={"shows": "attacks by shadow models and targets"},
        ),
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
        records=lambda wildcards: study_jobs.of_run(paths.records, **wildcards),
        split=lambda wildcards: study_jobs.of_run(paths.split, **wildcards),
        model=lambda wildcards: study_jobs.of_run(paths.model, **wildcards),
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
        records=lambda wildcards: study_jobs.of_first_seed(
            wildcards.study, paths.records
        )[0],
    output:
        csv=filled(paths.study_table, table="outputs"),
        markdown=filled(paths.study_page, form="md"),
        html=report(
            filled(paths.study_page, form="html"),
            category="studies",
            subcategory="{study}",
            caption="../report/outputs.rst",
            labels={"shows": "what changed outputs help"},
        ),
        pdf=filled(paths.study_figure, figure="outputs", form="pdf"),
        svg=filled(paths.study_figure, figure="outputs", form="svg"),
        png=report(
            filled(paths.study_figure, figure="outputs", form="png"),
            category="studies",
            subcategory="{study}",
            caption="../report/outputs.rst",
            labels={"shows": "attacks on changed outputs"},
        ),
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
        lambda wildcards: study_jobs.of_first_seed(
            wildcards.study, paths.record_results
        ),
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
        records=lambda wildcards: study_jobs.of_first_seed(
            wildcards.study, paths.records
        )[0],
        split=lambda wildcards: study_jobs.of_first_seed(wildcards.study, paths.split)[
            0
        ],
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
        retrained=lambda wildcards: study_jobs.retrained(wildcards.study),
    output:
        csv=filled(paths.study_table, table="sensitivity"),
        summary=filled(paths.study_table, table="summary"),
        markdown=filled(paths.study_page, form="md"),
        html=report(
            filled(paths.study_page, form="html"),
            category="studies",
            subcategory="{study}",
            caption="../report/sensitivity.rst",
            labels={"shows": "sensitivity to single records"},
        ),
        pdf=filled(paths.study_figure, figure="sensitivity", form="pdf"),
        svg=filled(paths.study_figure, figure="sensitivity", form="svg"),
        png=report(
            filled(paths.study_figure, figure="sensitivity", form="png"),
            category="studies",
            subcategory="{study}",
            caption="../report/sensitivity.rst",
            labels={"shows": "sorted sensitivities"},
        ),
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
        rows=filled(paths.explanation, name="runs_and_points.csv"),
        csv=filled(paths.explanation, name="explanation.csv"),
        markdown=filled(paths.explanation, name="explanation.md"),
        html=report(
            filled(paths.explanation, name="explanation.html"),
            category="studies",
            caption="../report/explanation.rst",
            labels={"shows": "what goes with leakage"},
        ),
        pdf=filled(paths.explanation, name="explanation.pdf"),
        svg=filled(paths.explanation, name="explanation.svg"),
        png=report(
            filled(paths.explanation, name="explanation.png"),
            category="studies",
            caption="../report/explanation.rst",
            labels={"shows": "leakage against gaps and margins"},
        ),
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
