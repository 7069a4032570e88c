# From images to the tables and figures of Song, Shokri and Mittal (CCS 2019); docs/architecture.md has the picture.
import sys
import time
from pathlib import Path

from filelock import FileLock

sys.path.insert(0, str(Path(workflow.basedir) / "scripts"))

from robustmia.config.files import check_files
from robustmia.config.reading import check_audits, read_config
from robustmia.config.registry import SIGNALS
from robustmia.config.studies import read_points
from robustmia.workflow.code_digest import code_digest, digest
from robustmia.workflow.paths import TARGET, Paths, filled
from robustmia.workflow.report_job import TABLE_TITLES, ReportJob
from robustmia.workflow.results_lock import hold_results
from robustmia.workflow.snakemake_hooks import (
    check_working_folder,
    install_hooks,
    mark_stale,
    name_pages,
    or_end,
    refuse,
)
from robustmia.workflow.source_files import check_sources
from robustmia.workflow.specs import Specs
from robustmia.workflow.study_jobs import StudyJobs
from robustmia.workflow.targets import JOINED_TABLES, TABLES, Targets

# The file beside this one, wherever snakemake is started.
DEFAULTS = str(Path(workflow.basedir) / "config.yaml")
or_end(check_files, [DEFAULTS, *workflow.overwrite_configfiles])
or_end(check_working_folder, workflow.main_snakefile)


configfile: DEFAULTS


report: "report/workflow.rst"


settings = or_end(read_config, config)
paths = Paths(str(settings.results_dir))
points = or_end(read_points, config, settings)
targets = Targets(settings, paths, points)
if workflow.is_main_process:  # jobs of a cluster may see other files
    or_end(check_sources, targets.variants, paths, settings.data_dir)
    or_end(check_audits, settings)
specs = Specs(targets)
study_jobs = StudyJobs(targets)
report_job = ReportJob(specs, study_jobs)
failures = install_hooks(workflow)
results_lock = FileLock(paths.lock)
started = time.time()


include: "rules/common.smk"
include: "rules/data.smk"
include: "rules/train.smk"
include: "rules/shadow.smk"
include: "rules/signals.smk"
include: "rules/inference.smk"
include: "rules/tables.smk"
include: "rules/figures.smk"
include: "rules/studies.smk"
include: "rules/report.smk"
include: "rules/audit.smk"


rule all:
    default_target: True
    input:
        rules.tables.input,
        FIGURES,
        STUDIES,
        rules.report.output,


onstart:
    hold_results(results_lock)
    mark_stale(workflow)


onsuccess:
    name_pages(
        [paths.report, paths.provenance]
        + expand(paths.audit_page, audit=targets.audits()),
        started,
    )


onerror:
    failures.summarise(workflow.scheduler.failed, targets.variants.place)
