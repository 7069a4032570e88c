# Images of every data set in one form, and who is a member.
rule fetch:
    output:
        records=paths.records,
        spec=paths.records_spec,
    log:
        paths.log("fetch/{dataset}"),
    localrule: True
    conda:
        "../envs/training.yaml"
    params:
        spec=by_wildcards(specs.fetch),
        code=code_of("fetch", specs.fetch),
        data_dir=str(settings.data_dir),
    script:
        "../scripts/fetch.py"


rule split:
    input:
        records=located(paths.records),
    output:
        split=paths.split,
        spec=paths.split_spec,
    log:
        paths.log("split/{dataset}_seed{seed}"),
    localrule: True
    conda:
        "../envs/analysis.yaml"
    params:
        spec=by_wildcards(specs.split),
        code=code_of("split"),
    script:
        "../scripts/split.py"
