# Other people's predictions and checkpoints: `snakemake audit --configfile FILE`, with `audits:` in the file.
rule audit_fetch:
    output:
        records=paths.audit_records,
    log:
        paths.log("audit/{audit}_fetch"),
    localrule: True
    conda:
        "../envs/training.yaml"
    params:
        spec=by_wildcards(specs.audit_fetch),
        code=code_of("fetch", specs.audit_fetch),
        data_dir=str(settings.data_dir),
    script:
        "../scripts/fetch.py"


rule audit_checkpoint:
    input:
        records=paths.audit_records,
        files=lambda wildcards: targets.audited_files(wildcards.audit),
    output:
        signals=directory(paths.audit_signals),
    log:
        paths.log("audit/{audit}_checkpoint"),
    wildcard_constraints:
        audit="|".join(targets.checkpoint_audits) or NONE,
    conda:
        "../envs/training.yaml"
    threads: 1
    resources:
        gpu=1,
    params:
        spec=by_wildcards(specs.audit),
        code=code_of("audit_checkpoint", specs.audit),
    script:
        "../scripts/audit_checkpoint.py"


rule audit_predictions:
    input:
        predictions=lambda wildcards: targets.audited_predictions(wildcards.audit),
    output:
        signals=directory(paths.audit_signals),
    log:
        paths.log("audit/{audit}_predictions"),
    wildcard_constraints:
        audit="|".join(targets.prediction_audits) or NONE,
    localrule: True
    conda:
        "../envs/analysis.yaml"
    params:
        spec=by_wildcards(specs.audit),
        code=code_of("audit_predictions"),
    script:
        "../scripts/audit_predictions.py"


rule audit_infer:
    input:
        signals=paths.audit_signals,
    output:
        membership_inference=paths.audit_membership,
        robustness=paths.audit_robustness,
        records=paths.audit_scores,
        strongest=filled(paths.audit_table, table="strongest"),
        roc=filled(paths.audit_table, table="roc"),
        loss_histogram=filled(paths.audit_table, table="loss_histogram"),
        margin_histogram=filled(paths.audit_table, table="margin_histogram"),
        spec=paths.audit_spec,
    log:
        paths.log("audit/{audit}_infer"),
    localrule: True
    conda:
        "../envs/analysis.yaml"
    params:
        spec=by_wildcards(specs.audit_infer),
        code=code_of("audit_infer", specs.audit_infer),
    script:
        "../scripts/audit_infer.py"


rule audit_page:
    input:
        signals=paths.audit_signals,
        records=lambda wildcards: (
            [paths.audit_records]
            if wildcards.audit in targets.checkpoint_audits
            else []
        ),
        membership_inference=paths.audit_membership,
        robustness=paths.audit_robustness,
        records_table=paths.audit_scores,
        strongest=filled(paths.audit_table, table="strongest"),
        roc=filled(paths.audit_table, table="roc"),
        loss_histogram=filled(paths.audit_table, table="loss_histogram"),
        margin_histogram=filled(paths.audit_table, table="margin_histogram"),
        spec=paths.audit_spec,
    output:
        page=paths.audit_page,
        figures=directory(paths.audit_figures),
    log:
        paths.log("audit/{audit}_page"),
    localrule: True
    conda:
        "../envs/analysis.yaml"
    params:
        spec=by_wildcards(specs.audit_page),
        code=code_of("audit_page", specs.audit_page),
        templates=TEMPLATES,
    script:
        "../scripts/audit_page.py"


rule audit:
    input:
        asked_for(
            expand(paths.audit_records, audit=targets.checkpoint_audits)
            + expand(paths.audit_signals, audit=targets.audits())
            + expand(paths.audit_page, audit=targets.audits()),
            "there are no audits in this configuration; give the file that has them: --configfile FILE",
        ),
