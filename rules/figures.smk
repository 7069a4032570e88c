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
    "attacks": ("strong_attacks", "AUC of every strategy on every signal"),
    "exposure_agreement": (
        "exposure_agreement",
        "whether runs and seeds agree on who is exposed",
    ),
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
        localrule: True
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
    localrule: True
    conda:
        "../envs/analysis.yaml"
    params:
        spec=figure_spec("examples"),
        code=code_of("examples"),
    script:
        "../scripts/examples.py"


rule exposed:
    input:
        records=rules.fetch.output.records,
        exposure=f"{RESULTS}/tables/{{dataset}}/exposure.csv",
    output:
        pdf=f"{RESULTS}/figures/{{dataset}}/exposed.pdf",
        png=report(
            f"{RESULTS}/figures/{{dataset}}/exposed.png",
            category="{dataset}",
            caption="../report/exposed.rst",
            labels={"shows": "members that each defense exposes most"},
        ),
    log:
        f"{RESULTS}/logs/figures/{{dataset}}_exposed.log",
    localrule: True
    conda:
        "../envs/analysis.yaml"
    params:
        spec=figure_spec("exposed"),
        code=code_of("exposed"),
    script:
        "../scripts/exposed.py"


rule figures:
    input:
        plan.each_figure(f"{RESULTS}/figures/{{dataset}}/{{figure}}.pdf"),
        plan.each_figure(f"{RESULTS}/figures/{{dataset}}/{{figure}}.png"),
