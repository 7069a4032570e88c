# Each figure by a rule of its own, from a table: redrawing one retrains nothing.
TABLE_AND_CONTENT = {
    "inference_accuracy": ("membership_inference", "inference accuracy of each run"),
    "accuracies": (
        "robustness",
        "clean, adversarial and verified accuracy of each run",
    ),
    "roc": ("roc", "ROC curves"),
    "loss_histogram": ("loss_histogram", "losses of members and non-members"),
    "margin_histogram": (
        "margin_histogram",
        "margin bounds of members and non-members",
    ),
    "leakage_and_gap": (
        "leakage_and_gap",
        "leakage against the robust generalisation gap",
    ),
    "training_curves": ("training_history", "accuracies while training"),
}


for figure, (table, content) in TABLE_AND_CONTENT.items():

    rule:
        name:
            figure
        input:
            table=f"{RESULTS}/tables/{{dataset}}/{table}.csv",
        output:
            pdf=f"{RESULTS}/figures/{{dataset}}/{figure}.pdf",
            png=report(
                f"{RESULTS}/figures/{{dataset}}/{figure}.png",
                category="{dataset}",
                caption=f"../report/{figure}.rst",
                labels={"shows": content},
            ),
        log:
            f"{RESULTS}/logs/figures/{{dataset}}_{figure}.log",
        conda:
            "../envs/analysis.yaml"
        params:
            spec=figure_spec(figure),
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
