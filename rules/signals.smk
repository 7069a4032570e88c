# Logits of every member and non-member: on clean images, on images attacked against the very model, and so on.
rule signal:
    input:
        records=rules.fetch.output.records,
        split=rules.split.output.split,
        model=rules.train.output.model,
    output:
        logits=f"{RESULTS}/signals/{TARGET}/{{signal}}.npz",
        spec=f"{RESULTS}/signals/{TARGET}/{{signal}}.spec.json",
    log:
        f"{RESULTS}/logs/signal/{TARGET}_{{signal}}.log",
    wildcard_constraints:
        signal="|".join(plan.known_signals),
    conda:
        "../envs/training.yaml"
    threads: 1
    resources:
        gpu=1,
    params:
        spec=of_target(plan.signal, "signal"),
        code=code_of("compute_signal"),
    script:
        "../scripts/compute_signal.py"


rule attack_examples:
    input:
        records=rules.fetch.output.records,
        split=rules.split.output.split,
        model=rules.train.output.model,
    output:
        examples=f"{RESULTS}/signals/{TARGET}/examples.npz",
    log:
        f"{RESULTS}/logs/attack_examples/{TARGET}.log",
    conda:
        "../envs/training.yaml"
    threads: 1
    resources:
        gpu=1,
    params:
        spec=of_target(plan.attack_examples),
        code=code_of("attack_examples"),
    script:
        "../scripts/attack_examples.py"


rule signals_all:
    input:
        plan.every_signal(),
