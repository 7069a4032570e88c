# One target model for each run and seed.
rule train:
    input:
        records=located(paths.records),
        split=located(paths.split),
    output:
        model=paths.model,
        history=paths.history,
        spec=paths.model_spec,
    log:
        paths.log(f"train/{TARGET}"),
    conda:
        "../envs/training.yaml"
    threads: 1
    resources:
        gpu=1,
    params:
        spec=by_wildcards(specs.train),
        code=code_of("train", specs.train),
        identity=by_wildcards(specs.identity),
        checkpoint=by_wildcards(specs.checkpoint),
    script:
        "../scripts/train.py"


rule train_all:
    input:
        targets.expand(paths.model),
