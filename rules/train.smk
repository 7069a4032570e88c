# One target model for each run and seed.
rule train:
    input:
        records=rules.fetch.output.records,
        split=rules.split.output.split,
    output:
        model=f"{RESULTS}/models/{TARGET}/model.safetensors",
        history=f"{RESULTS}/models/{TARGET}/history.csv",
        spec=f"{RESULTS}/models/{TARGET}/spec.json",
    log:
        f"{RESULTS}/logs/train/{TARGET}.log",
    conda:
        "../envs/training.yaml"
    threads: 1
    resources:
        gpu=1,
    params:
        spec=of_target(plan.train),
        code=code_of("train"),
        identity=of_target(plan.identity),
        checkpoint=of_target(plan.checkpoint),
    script:
        "../scripts/train.py"


rule train_all:
    input:
        plan.each_target(rules.train.output.model),
