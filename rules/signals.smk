# What the attacker sees of every member and non-member: logits of clean images, of images perturbed against the very model, ...
rule signals:
    input:
        records=located(paths.records),
        split=located(paths.split),
        model=located(paths.model),
    output:
        signals=paths.signals,
        spec=paths.signals_spec,
    log:
        paths.log(f"signals/{TARGET}_{{signals}}"),
    conda:
        "../envs/training.yaml"
    threads: 1
    resources:
        gpu=1,
    params:
        spec=by_wildcards(specs.signals),
        code=code_of("signals", specs.signals),
    script:
        "../scripts/signals.py"


rule signals_all:
    input:
        targets.expand(paths.signals),
