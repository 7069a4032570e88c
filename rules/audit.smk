# Other people's predictions and checkpoints: `snakemake audit --configfile FILE`, with `audits:` in the file.
from robustmia.audit.settings import CheckpointAudit, PredictionsAudit

AUDIT = f"{RESULTS}/audit/{{audit}}"
NONE = "(?!)"  # matches nothing


rule audited_images:
    output:
        records=f"{AUDIT}/dataset.npz",
    log:
        f"{RESULTS}/logs/audit/{{audit}}_images.log",
    localrule: True
    conda:
        "../envs/training.yaml"
    params:
        spec=of_audit(plan.audited_source),
        code=code_of("fetch"),
        data_dir=str(plan.config.data_dir),
    script:
        "../scripts/fetch.py"


rule audit_checkpoint:
    input:
        records=rules.audited_images.output.records,
        files=of_audit(plan.audited_files),
    output:
        signals=directory(f"{AUDIT}/signals"),
    log:
        f"{RESULTS}/logs/audit/{{audit}}_checkpoint.log",
    wildcard_constraints:
        audit="|".join(plan.audits(CheckpointAudit)) or NONE,
    conda:
        "../envs/training.yaml"
    threads: 1
    resources:
        gpu=1,
    params:
        spec=of_audit(plan.audit),
        code=code_of("audit_checkpoint"),
    script:
        "../scripts/audit_checkpoint.py"


rule audit_predictions:
    input:
        predictions=of_audit(plan.audited_predictions),
    output:
        signals=directory(f"{AUDIT}/signals"),
    log:
        f"{RESULTS}/logs/audit/{{audit}}_predictions.log",
    wildcard_constraints:
        audit="|".join(plan.audits(PredictionsAudit)) or NONE,
    localrule: True
    conda:
        "../envs/analysis.yaml"
    params:
        spec=of_audit(plan.audit),
        code=code_of("audit_predictions"),
    script:
        "../scripts/audit_predictions.py"


rule audit_infer:
    input:
        signals=f"{AUDIT}/signals",
    output:
        membership_inference=f"{AUDIT}/membership_inference.csv",
        robustness=f"{AUDIT}/robustness.csv",
        report=f"{AUDIT}/report.md",
        spec=f"{AUDIT}/spec.json",
    log:
        f"{RESULTS}/logs/audit/{{audit}}_infer.log",
    localrule: True
    conda:
        "../envs/analysis.yaml"
    params:
        spec=of_audit(plan.audit_infer),
        code=code_of("audit_infer"),
    script:
        "../scripts/audit_infer.py"


rule audit:
    input:
        expand(rules.audit_infer.output.report, audit=plan.audits()),
