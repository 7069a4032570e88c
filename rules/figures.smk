# Each figure by a rule of its own, from a table: redrawing one retrains nothing.
rule inference_accuracy:
    input:
        table=f"{RESULTS}/tables/{{dataset}}/membership_inference.csv",
    output:
        pdf=f"{RESULTS}/figures/{{dataset}}/inference_accuracy.pdf",
        png=report(
            f"{RESULTS}/figures/{{dataset}}/inference_accuracy.png",
            category="{dataset}",
            caption="../report/inference_accuracy.rst",
            labels={"shows": "inference accuracy of each run"},
        ),
    log:
        f"{RESULTS}/logs/figures/{{dataset}}_inference_accuracy.log",
    conda:
        "../envs/analysis.yaml"
    params:
        spec=figure_spec("inference_accuracy"),
        code=code_of("figure"),
    script:
        "../scripts/figure.py"


rule roc:
    input:
        table=f"{RESULTS}/tables/{{dataset}}/roc.csv",
    output:
        pdf=f"{RESULTS}/figures/{{dataset}}/roc.pdf",
        png=report(
            f"{RESULTS}/figures/{{dataset}}/roc.png",
            category="{dataset}",
            caption="../report/roc.rst",
            labels={"shows": "ROC curves"},
        ),
    log:
        f"{RESULTS}/logs/figures/{{dataset}}_roc.log",
    conda:
        "../envs/analysis.yaml"
    params:
        spec=figure_spec("roc"),
        code=code_of("figure"),
    script:
        "../scripts/figure.py"


rule loss_histogram:
    input:
        table=f"{RESULTS}/tables/{{dataset}}/loss_histogram.csv",
    output:
        pdf=f"{RESULTS}/figures/{{dataset}}/loss_histogram.pdf",
        png=report(
            f"{RESULTS}/figures/{{dataset}}/loss_histogram.png",
            category="{dataset}",
            caption="../report/loss_histogram.rst",
            labels={"shows": "losses of members and non-members"},
        ),
    log:
        f"{RESULTS}/logs/figures/{{dataset}}_loss_histogram.log",
    conda:
        "../envs/analysis.yaml"
    params:
        spec=figure_spec("loss_histogram"),
        code=code_of("figure"),
    script:
        "../scripts/figure.py"


rule leakage_and_gap:
    input:
        table=f"{RESULTS}/tables/{{dataset}}/leakage_and_gap.csv",
    output:
        pdf=f"{RESULTS}/figures/{{dataset}}/leakage_and_gap.pdf",
        png=report(
            f"{RESULTS}/figures/{{dataset}}/leakage_and_gap.png",
            category="{dataset}",
            caption="../report/leakage_and_gap.rst",
            labels={"shows": "leakage against the robust generalisation gap"},
        ),
    log:
        f"{RESULTS}/logs/figures/{{dataset}}_leakage_and_gap.log",
    conda:
        "../envs/analysis.yaml"
    params:
        spec=figure_spec("leakage_and_gap"),
        code=code_of("figure"),
    script:
        "../scripts/figure.py"


rule training_curves:
    input:
        table=f"{RESULTS}/tables/{{dataset}}/training_history.csv",
    output:
        pdf=f"{RESULTS}/figures/{{dataset}}/training_curves.pdf",
        png=report(
            f"{RESULTS}/figures/{{dataset}}/training_curves.png",
            category="{dataset}",
            caption="../report/training_curves.rst",
            labels={"shows": "accuracies while training"},
        ),
    log:
        f"{RESULTS}/logs/figures/{{dataset}}_training_curves.log",
    conda:
        "../envs/analysis.yaml"
    params:
        spec=figure_spec("training_curves"),
        code=code_of("figure"),
    script:
        "../scripts/figure.py"


rule examples:
    input:
        records=rules.fetch.output.records,
        examples=of_dataset(plan.examples),
    output:
        pdf=f"{RESULTS}/figures/{{dataset}}/examples.pdf",
        png=report(
            f"{RESULTS}/figures/{{dataset}}/examples.png",
            category="{dataset}",
            caption="../report/examples.rst",
            labels={"shows": "images, perturbations and predictions"},
        ),
    log:
        f"{RESULTS}/logs/figures/{{dataset}}_examples.log",
    conda:
        "../envs/analysis.yaml"
    params:
        spec=figure_spec("examples"),
        code=code_of("examples"),
    script:
        "../scripts/examples.py"


rule figures:
    input:
        plan.each_figure(f"{RESULTS}/figures/{{dataset}}/{{figure}}.pdf"),
        plan.each_figure(f"{RESULTS}/figures/{{dataset}}/{{figure}}.png"),
