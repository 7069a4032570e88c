"""What Snakemake leaves to its workflows: to go on after anything, and to say in a line why a job failed.

It has no settings for what is changed here, so some of its methods are replaced for the process that parses the Snakefile.
"""

from __future__ import annotations

import json
import logging
import os
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import snakemake.jobs
import yaml
from snakemake.dag import DAG
from snakemake.exceptions import WorkflowError
from snakemake.jobs import GroupJob, Job
from snakemake.logging import logger
from snakemake.persistence import PersistenceBase
from snakemake_interface_logger_plugins.common import LogEvent

from robustmia import lifeline
from robustmia.config import read_config
from robustmia.errors import visible
from robustmia.gpus import count_gpus
from robustmia.locks import LocksUnsupportedError, lock
from robustmia.plan import MISSING, STAGES, Plan, Target, missing_targets


def attend(workflow: Any, results: Path) -> Failures:
    """Make a workflow hold its results folder, go on after being killed, and remember what fails.

    Args:
        workflow: the one that Snakemake is parsing.
        results: the folder that it fills.
    """
    # Digests of the code are params of every rule. Snakemake's own look at scripts goes by their age, so that a clone or a
    # touch would rerun everything, and no setting that a Snakefile could change turns that off alone.
    snakemake.jobs.get_script_mtime = lambda path: 0.0
    PersistenceBase.lock = _lock_of(results, PersistenceBase.lock)
    DAG.check_incomplete = _rerunning(DAG.check_incomplete)
    Job.cleanup = _marking(Job.cleanup)
    slurm: Any = sys.modules.get("snakemake_executor_plugin_slurm")
    if slurm is not None:
        slurm.query_job_status = _in_one_word(slurm.query_job_status)
        slurm.get_submit_command = _without_nowhere(slurm.get_submit_command)
    failures = Failures()
    if workflow.is_main_process:
        lifeline.announce()
        if "gpu" not in workflow.global_resources and (gpus := count_gpus()):
            workflow.register_resource("gpu", gpus)  # so that no job holds a core while it waits for a GPU
        logger.addHandler(failures)
    return failures


def _rerunning(check_incomplete: Any) -> Any:
    """Run jobs that were cut off again, as --rerun-incomplete does, in place of asking for it.

    Their outputs count whether they are there or not: else tables that were made from older versions would pass as up to date.
    """

    async def check(dag: DAG) -> None:
        dag.workflow.dag_settings.force_incomplete = True
        await check_incomplete(dag)
        persistence = dag.workflow.persistence
        outputs = {persistence._get_key(output): output for job in dag.jobs for output in job.output}
        if not dag.ignore_incomplete:
            dag.forcefiles.update(outputs[key] for key in persistence._filter_incomplete_keys(outputs))

    return check


def show_what_succeeded(workflow: Any, config: dict) -> None:
    """With --keep-going, make the tables, figures and reports that were asked for of those targets that have results.

    Args:
        workflow: one that has ended with failures.
        config: its configuration.
    """
    scheduler, dag = workflow.scheduler, workflow.dag
    cut_short = scheduler.running or any(job not in scheduler.failed for job in dag.ready_jobs)
    if not workflow.execution_settings.keep_going or cut_short or MISSING in os.environ:
        return
    jobs = list(dag.jobs)
    missing = {
        stage: [_target(job) for job in jobs if job.rule.name == rule and dag.needrun(job) and not dag.finished(job)]
        for stage, rule in STAGES.items()
    }
    asked = {job.rule.name for job in jobs}
    shown = Plan(read_config(config), missing_targets(json.dumps(missing)))
    there = {"strong_attacks": shown.strong_datasets}
    targets = [target for target, sign in SHOWN.items() if sign in asked and there.get(target, shown.datasets)]
    if not targets:
        return
    logger.info("robustmia: making tables, figures and reports of what succeeded")
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as settings:
        yaml.safe_dump(config, settings, sort_keys=False)
        settings.flush()
        command = [sys.executable, "-m", "snakemake", *targets, "--snakefile", str(workflow.main_snakefile)]
        command += ["--configfile", settings.name, "--nolock", "--keep-going", "--executor", "local"]
        command += ["--cores", str(workflow.cores or 1), "--quiet", "progress", "rules", "host"]
        triggers = [trigger.name.lower().replace("_", "-") for trigger in workflow.dag_settings.rerun_triggers]
        command += ["--rerun-triggers", *triggers]
        methods = [method.name.lower() for method in workflow.deployment_settings.deployment_method]
        command += ["--software-deployment-method", *methods] if methods else []
        done = subprocess.run(command, env=os.environ | {MISSING: json.dumps(missing)})
    if done.returncode == 0:
        logger.error(f"robustmia: {', '.join(targets)} show what succeeded; the same command makes the rest")


SHOWN = {"tables": "paper_table", "figures": "roc", "report": "report", "strong_attacks": "strong_report"}
"""Targets that put results together, by a rule that is only there where they were asked for."""


def _target(job: Any) -> Target:
    return job.wildcards.dataset, job.wildcards.run, int(job.wildcards.seed)


def _marking(cleanup: Any) -> Any:
    """Count what a failed job should have made as cut off: Snakemake removes it and forgets about it."""

    async def clean(job: Job, *arguments: Any) -> None:
        await cleanup(job, *arguments)
        job.dag.workflow.persistence.started(job)

    return clean


def _in_one_word(query: Any) -> Any:
    """The status of SLURM jobs without what sacct may add: the plugin waits for ever for one that is `CANCELLED by 1000`."""

    async def ask(*arguments: Any) -> tuple[dict[str, str] | None, float | None]:
        statuses, seconds = await query(*arguments)
        return statuses and {job: status.partition(" ")[0] for job, status in statuses.items()}, seconds

    return ask


def _without_nowhere(command: Any) -> Any:
    """Submissions that exclude failed nodes alone: the plugin takes `None assigned`, of a job that waits again, for the name of one."""

    def submit(*arguments: Any, failed_nodes: Collection[str] | None = None, **named: Any) -> str:
        return command(*arguments, failed_nodes={node for node in failed_nodes or () if " " not in node}, **named)

    return submit


Lock = Callable[[PersistenceBase], AbstractContextManager[None]]


def _lock_of(results: Path, otherwise: Lock) -> Lock:
    """What holds a results folder while a workflow fills it, and lets go of it however the workflow ends.

    Args:
        results: the folder.
        otherwise: Snakemake's own lock, which outlives a killed workflow: for file systems without locks.
    """

    @contextmanager
    def held(persistence: PersistenceBase) -> Iterator[None]:
        path = results / ".lock"
        try:
            file = lock(path)
        except LocksUnsupportedError:
            with otherwise(persistence):
                yield
            return
        if file is None:
            holder = visible(path.read_text(encoding="utf-8").strip()) or "not known which"
            raise WorkflowError(
                f"another workflow ({holder}) is making results in {results}; wait until it ends, or set results_dir to another folder"
            )
        with file:
            file.truncate(0)
            file.write(f"process {os.getpid()} on {platform.node()}")
            file.flush()
            yield

    return held


class Failures(logging.Handler):
    """Remembers what Snakemake says of jobs that fail, and sums it up at the end."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        GroupJob.log_error = self._noting(GroupJob.log_error)
        self.started = datetime.now().timestamp()
        self._said: dict[Any, str] = {}
        self._logs: dict[Any, list[str]] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the message of a failed job."""
        if getattr(record, "event", None) in (LogEvent.JOB_ERROR, LogEvent.GROUP_ERROR):
            fields = vars(record)
            for number in [fields[key] for key in ("jobid", "groupid") if key in fields]:
                self._said[number] = str(fields.get("rule_msg") or self._said.get(number, ""))
                self._logs[number] = [str(path) for path in fields.get("log") or fields.get("aux_logs") or []]

    def _noting(self, log_error: Any) -> Any:
        """Keep the message of a failed group of jobs, which Snakemake drops."""

        def noted(group: GroupJob, msg: str | None = None, *arguments: Any, **named: Any) -> None:
            self._said[group.groupid] = msg or ""
            log_error(group, msg, *arguments, **named)

        return noted

    def show(self, failed: Collection[Any]) -> None:
        """For each job that failed for good: the rule and its wildcards, the cause in a line, and the log."""
        if failed:
            shown = [line for job in failed for line in self._of(job)]
            logger.error("\n".join([f"robustmia: {len(failed)} job{'s' if len(failed) > 1 else ''} failed", *shown]))

    def _of(self, job: Any) -> list[str]:
        number = job.groupid if job.is_group() else job.jobid
        said, logs = self._said.get(number, ""), self._logs.get(number, [])
        inner = list(job.jobs) if job.is_group() else [job]
        causes = {one: self._last_error(Path(one.log[0])) for one in inner if one.log}
        guilty = [one for one in inner if causes.get(one)] or inner
        lines = []
        for one in guilty:
            name = " ".join([one.rule.name, *map(str, one.wildcards)])
            lines += [
                f"  {visible(name)}: {_cause(said, causes.get(one))}",
                *(f"    log: {visible(path)}" for path in dict.fromkeys([*map(str, one.log), *logs])),
            ]
        return lines

    def _last_error(self, log: Path) -> str | None:
        """The last error that a job wrote into its log, if it did so in this run."""
        if not log.exists() or log.stat().st_mtime < self.started - 1:
            return None
        found = re.findall(r"^\S+ \S+ ERROR (.*)$", log.read_text(encoding="utf-8", errors="replace"), re.MULTILINE)
        return found[-1] if found else None


def _cause(said: str, error: str | None) -> str:
    status = re.search(r"SLURM status is: '(\w+)'", said)
    words = [f"SLURM says {status.group(1)}"] if status and (status.group(1) != "FAILED" or not error) else []
    words += [visible(error)] if error else []
    return ": ".join(words) or "it was killed, or could not start, and left no message"
