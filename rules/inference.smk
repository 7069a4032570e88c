# Every strategy against one target model.
rule infer:
    input:
        split=rules.split.output.split,
        signals=of_target(plan.signals_of),
    output:
        membership_inference=f"{RESULTS}/inference/{TARGET}/membership_inference.csv",
        robustness=f"{RESULTS}/inference/{TARGET}/robustness.csv",
        roc=f"{RESULTS}/inference/{TARGET}/roc.csv",
        loss_histogram=f"{RESULTS}/inference/{TARGET}/loss_histogram.csv",
        verification=f"{RESULTS}/inference/{TARGET}/verification.csv",
        margin_histogram=f"{RESULTS}/inference/{TARGET}/margin_histogram.csv",
        judged=f"{RESULTS}/inference/{TARGET}/judged.npz",
        spec=f"{RESULTS}/inference/{TARGET}/spec.json",
    log:
        f"{RESULTS}/logs/infer/{TARGET}.log",
    conda:
        "../envs/analysis.yaml"
    params:
        spec=of_target(plan.infer),
        code=code_of("infer"),
    script:
        "../scripts/infer.py"
