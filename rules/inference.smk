# Every attack on every signal of one target model; those that need shadow models if there are any.
rule infer:
    input:
        data=located(paths.records),
        split=located(paths.split),
        signals=expanded(paths.signals),
        shadows=expanded(paths.shadow_signals),
    output:
        **{table: filled(paths.target_table, table=table) for table in TABLES},
        records=paths.record_results,
        spec=paths.inference_spec,
    log:
        paths.log(f"infer/{TARGET}"),
    conda:
        "../envs/analysis.yaml"
    params:
        spec=by_wildcards(specs.infer),
        code=code_of("infer", specs.infer),
    script:
        "../scripts/infer.py"


# Scores and risks of each record, beside those under natural training.
rule records:
    input:
        data=located(paths.records),
        records=paths.record_results,
        natural=by_wildcards(targets.natural_files, pattern=paths.record_results),
    output:
        table=paths.target_records,
    log:
        paths.log(f"records/{TARGET}"),
    localrule: True
    conda:
        "../envs/analysis.yaml"
    params:
        identity=by_wildcards(specs.identity),
        code=code_of("records"),
    script:
        "../scripts/records.py"


# Which records are at risk under each model, and whether models agree on it.
rule record_risk:
    input:
        records=expanded(paths.record_results),
    output:
        risk=filled(paths.table, table="record_risk"),
        agreement=filled(paths.table, table="risk_agreement"),
    log:
        paths.log("record_risk/{dataset}"),
    conda:
        "../envs/analysis.yaml"
    params:
        spec=by_wildcards(specs.conclusions),
        code=code_of("record_risk"),
    script:
        "../scripts/record_risk.py"
