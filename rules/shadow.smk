# Shadow models: an input of inference, if `shadow_models` is not 0. Each job trains some of those of one target model.
rule shadow_train:
    input:
        records=located(paths.records),
    output:
        models=paths.shadow_models,
        history=paths.shadow_history,
        spec=paths.shadow_spec,
    log:
        paths.log(f"shadow_train/{TARGET}_batch{{batch}}"),
    conda:
        "../envs/training.yaml"
    threads: 1
    resources:
        gpu=1,
    params:
        spec=by_wildcards(specs.shadow_train),
        code=code_of("shadow_train", specs.shadow_train),
        checkpoint=by_wildcards(specs.shadow_checkpoint),
    script:
        "../scripts/shadow_train.py"


rule shadow_signals:
    input:
        records=located(paths.records),
        models=located(paths.shadow_models),
    output:
        signals=paths.shadow_signals,
    log:
        paths.log(f"shadow_signals/{TARGET}_batch{{batch}}_{{signals}}"),
    conda:
        "../envs/training.yaml"
    threads: 1
    resources:
        gpu=1,
    params:
        spec=by_wildcards(specs.shadow_signals),
        code=code_of("shadow_signals", specs.shadow_signals),
    script:
        "../scripts/shadow_signals.py"


rule shadow_all:
    input:
        asked_for(
            targets.expand(paths.shadow_models),
            "there are no shadow models in this configuration; ask for some: --config shadow_models=16",
        ),
