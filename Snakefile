# From images to the tables and figures of Song, Shokri and Mittal (CCS 2019); docs/architecture.md has the picture.
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(workflow.basedir) / "scripts"))

from robustmia.config import check_audits, check_sources, read_config
from robustmia.errors import UserError
from robustmia.plan import MISSING, Plan, missing_targets
from robustmia.workflow import attend, show_what_succeeded


configfile: "config.yaml"


# The script that writes the report names a first page that has the findings.
report: os.environ.get("ROBUSTMIA_FIRST_PAGE", "report/workflow.rst")


try:
    plan = Plan(read_config(config), missing_targets(os.environ.get(MISSING, "")))
    check_sources(plan.config)
    check_audits(plan.config)
except UserError as error:
    sys.exit("\n".join(f"robustmia: {line}" for line in str(error).splitlines()))


failures = attend(workflow, Path(plan.results))


include: "rules/common.smk"
include: "rules/data.smk"
include: "rules/train.smk"
include: "rules/signals.smk"
include: "rules/inference.smk"
include: "rules/tables.smk"
include: "rules/figures.smk"
include: "rules/strong.smk"
include: "rules/report.smk"
include: "rules/audit.smk"


localrules:
    all,
    train_all,
    signals_all,
    shadow_all,
    strong_results,
    strong_attacks,
    audit,
    tables,
    figures,


rule all:
    default_target: True
    input:
        rules.train_all.input,
        rules.signals_all.input,
        rules.tables.input,
        rules.figures.input,
        rules.report.output,


onerror:
    failures.show(workflow.scheduler.failed)
    show_what_succeeded(workflow, config)
