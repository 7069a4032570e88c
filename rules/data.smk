# Images of every data set in one form, and who is a member.
rule fetch:
    output:
        records=f"{RESULTS}/data/{{dataset}}/dataset.npz",
        spec=f"{RESULTS}/data/{{dataset}}/dataset.spec.json",
    log:
        f"{RESULTS}/logs/fetch/{{dataset}}.log",
    localrule: True
    conda:
        "../envs/training.yaml"
    params:
        spec=of_dataset(plan.fetch),
        code=code_of("fetch"),
        data_dir=str(plan.config.data_dir),
    script:
        "../scripts/fetch.py"


rule split:
    input:
        records=rules.fetch.output.records,
    output:
        split=f"{RESULTS}/data/{{dataset}}/split_seed{{seed}}.npz",
        spec=f"{RESULTS}/data/{{dataset}}/split_seed{{seed}}.spec.json",
    log:
        f"{RESULTS}/logs/split/{{dataset}}_seed{{seed}}.log",
    localrule: True
    conda:
        "../envs/analysis.yaml"
    params:
        spec=lambda wildcards: plan.split(wildcards.dataset, int(wildcards.seed)),
        code=code_of("split"),
    script:
        "../scripts/split.py"
