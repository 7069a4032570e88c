# What the attacker sees of every member and non-member: logits of clean images, of images perturbed against the very model, ...
rule signal:
    input:
        records=paths.records,
        split=paths.split,
        model=paths.model,
    output:
        logits=paths.signal,
        spec=paths.signal_spec,
    log:
        paths.log(f"signal/{TARGET}_{{signal}}"),
    conda:
        "../envs/training.yaml"
    threads: 1
    resources:
        gpu=1,
    params:
        spec=by_wildcards(specs.signal),
        code=code_of("compute_signal", specs.signal),
    script:
        "../scripts/compute_signal.py"


rule examples:
    input:
        records=paths.records,
        split=paths.split,
        model=paths.model,
    output:
        examples=paths.examples,
    log:
        paths.log(f"examples/{TARGET}"),
    conda:
        "../envs/training.yaml"
    threads: 1
    resources:
        gpu=1,
    params:
        spec=by_wildcards(specs.examples),
        code=code_of("examples", specs.examples),
    script:
        "../scripts/examples.py"


rule signals_all:
    input:
        targets.expand(paths.signal),
