# Logits of every member and non-member: on clean images, and on images attacked against the very model.
rule predict:
    input:
        records=rules.fetch.output.records,
        split=rules.split.output.split,
        model=rules.train.output.model,
    output:
        signal=f"{RESULTS}/signals/{TARGET}/benign.npz",
        spec=f"{RESULTS}/signals/{TARGET}/benign.spec.json",
    log:
        f"{RESULTS}/logs/predict/{TARGET}.log",
    conda:
        "../envs/training.yaml"
    threads: 1
    resources:
        gpu=1,
    params:
        spec=of_target(plan.predict),
        code=code_of("predict"),
    script:
        "../scripts/predict.py"


rule perturb:
    input:
        records=rules.fetch.output.records,
        split=rules.split.output.split,
        model=rules.train.output.model,
    output:
        signal=f"{RESULTS}/signals/{TARGET}/adversarial.npz",
        examples=f"{RESULTS}/signals/{TARGET}/examples.npz",
        spec=f"{RESULTS}/signals/{TARGET}/adversarial.spec.json",
    log:
        f"{RESULTS}/logs/perturb/{TARGET}.log",
    conda:
        "../envs/training.yaml"
    threads: 1
    resources:
        gpu=1,
    params:
        spec=of_target(plan.perturb),
        code=code_of("perturb"),
    script:
        "../scripts/perturb.py"


rule signals_all:
    input:
        plan.each_target(rules.predict.output.signal),
        plan.each_target(rules.perturb.output.signal),
