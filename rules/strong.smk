# Membership inference with shadow models, on every signal: `snakemake strong_attacks`.
SHADOW = f"{RESULTS}/shadow/{{dataset}}/{{run}}/batch{{batch}}"


# Some of the shadow models of one run, each resumed from a checkpoint of its own.
rule shadow_train:
    input:
        records=rules.fetch.output.records,
    output:
        models=f"{SHADOW}/models.safetensors",
        history=f"{SHADOW}/history.csv",
        spec=f"{SHADOW}/spec.json",
    log:
        f"{RESULTS}/logs/shadow_train/{{dataset}}/{{run}}/batch{{batch}}.log",
    conda:
        "../envs/training.yaml"
    threads: 1
    resources:
        gpu=1,
    params:
        spec=of_shadows(plan.shadow_train),
        code=code_of("shadow_train"),
        checkpoint=of_shadows(plan.shadow_checkpoint),
    script:
        "../scripts/shadow_train.py"


rule shadow_signal:
    input:
        records=rules.fetch.output.records,
        models=rules.shadow_train.output.models,
    output:
        logits=f"{SHADOW}/{{signal}}.npz",
    log:
        f"{RESULTS}/logs/shadow_signal/{{dataset}}/{{run}}/batch{{batch}}_{{signal}}.log",
    wildcard_constraints:
        signal="|".join(plan.known_signals),
    conda:
        "../envs/training.yaml"
    threads: 1
    resources:
        gpu=1,
    params:
        spec=of_shadows(plan.shadow_signal, "signal"),
        code=code_of("shadow_signal"),
    script:
        "../scripts/shadow_signal.py"


rule shadow_all:
    input:
        plan.every_shadow_model(rules.shadow_train.output.models),


# Every strategy on every signal of one target model.
rule strong_infer:
    input:
        split=rules.split.output.split,
        signals=of_target(plan.strong_signals_of),
        shadows=lambda wildcards: plan.shadow_signals_of(
            wildcards.dataset, wildcards.run
        ),
    output:
        membership_inference=f"{RESULTS}/strong/{TARGET}/membership_inference.csv",
        judged=f"{RESULTS}/strong/{TARGET}/judged.npz",
        spec=f"{RESULTS}/strong/{TARGET}/spec.json",
    log:
        f"{RESULTS}/logs/strong_infer/{TARGET}.log",
    conda:
        "../envs/analysis.yaml"
    params:
        spec=of_target(plan.strong_infer),
        code=code_of("strong_infer"),
    script:
        "../scripts/strong_infer.py"


# Scores and risks of each record, beside those under natural training.
rule strong_records:
    input:
        natural=of_target(plan.natural_of),
        judged=rules.strong_infer.output.judged,
    output:
        records=f"{RESULTS}/strong/{TARGET}/records.csv",
    log:
        f"{RESULTS}/logs/strong_records/{TARGET}.log",
    localrule: True
    conda:
        "../envs/analysis.yaml"
    params:
        identity=of_target(plan.identity),
        code=code_of("strong_records"),
    script:
        "../scripts/strong_records.py"


rule collect_strong:
    input:
        of_dataset(
            lambda dataset: plan.each_target(
                rules.strong_infer.output.membership_inference, dataset, "strong"
            )
        ),
    output:
        f"{RESULTS}/tables/{{dataset}}/strong_attacks.csv",
    log:
        f"{RESULTS}/logs/collect/{{dataset}}_strong_attacks.log",
    localrule: True
    conda:
        "../envs/analysis.yaml"
    params:
        code=code_of("collect"),
        missing=at_stage(plan.missing_targets, "strong"),
    script:
        "../scripts/collect.py"


rule all_strong:
    input:
        plan.each_strong_dataset(rules.collect_strong.output[0]),
    output:
        f"{RESULTS}/tables/strong_attacks.csv",
    log:
        f"{RESULTS}/logs/collect/strong_attacks.log",
    localrule: True
    conda:
        "../envs/analysis.yaml"
    params:
        code=code_of("collect"),
    script:
        "../scripts/collect.py"


rule exposure:
    input:
        judged=at_stage(plan.judged, "strong"),
    output:
        exposure=f"{RESULTS}/tables/{{dataset}}/exposure.csv",
        agreement=f"{RESULTS}/tables/{{dataset}}/exposure_agreement.csv",
    log:
        f"{RESULTS}/logs/exposure/{{dataset}}.log",
    conda:
        "../envs/analysis.yaml"
    params:
        spec=at_stage(plan.comparison, "strong"),
        code=code_of("exposure"),
    script:
        "../scripts/exposure.py"


rule strong_results:
    input:
        plan.each_strong_target(rules.strong_records.output.records),
        [
            path
            for pattern in [
                rules.collect_strong.output[0],
                *rules.exposure.output,
                *rules.strong_findings.output,
            ]
            for path in plan.each_strong_dataset(pattern)
        ],
        plan.each_strong_figure(f"{RESULTS}/figures/{{dataset}}/{{figure}}.pdf"),
        plan.each_strong_figure(f"{RESULTS}/figures/{{dataset}}/{{figure}}.png"),
