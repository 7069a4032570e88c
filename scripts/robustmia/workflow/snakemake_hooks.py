"""What Snakemake leaves to its workflows: its terminal, a summary of failures, and reruns of what was cut off.

The settings beside it are in profiles/default/config.yaml. Only faults for which there is no setting are patched, at the end of
this file, one function for each.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from snakemake.jobs import GroupJob
from snakemake.logging import logger

from robustmia.errors import UserError
from robustmia.workflow.failures import Failures
from robustmia.workflow.gpu_lock import visible_gpus
from robustmia.workflow.terminal import attach_terminal

T = TypeVar("T")


def install_hooks(workflow: Any) -> Failures:
    """Prepare the workflow that Snakemake is parsing; returns what remembers its failures."""
    failures = Failures()
    fix_group_errors(failures)
    if slurm := sys.modules.get("snakemake_executor_plugin_slurm"):
        fix_slurm_cancelled_by(slurm)
        fix_slurm_none_assigned(slurm)
    if workflow.is_main_process:
        if "gpu" not in workflow.global_resources and (gpus := len(visible_gpus())):
            workflow.register_resource("gpu", gpus)  # so that no job holds a core while it waits for a GPU
        logger.addHandler(failures)
        attach_terminal(workflow, failures)
    return failures


def or_end(check: Callable[..., T], *arguments: Any) -> T:
    """What a check returns; its mistakes end the workflow, in a line each."""
    try:
        return check(*arguments)
    except UserError as error:
        sys.exit("\n".join(f"robustmia: {line}" for line in str(error).splitlines()))


def refuse(reason: str) -> NoReturn:
    """Raise a `UserError`."""
    raise UserError(reason)


def check_working_folder(snakefile: str) -> None:
    """Raise `UserError` if Snakemake cannot keep its notes here, which it does for a dry run, too."""
    if not os.access(".", os.W_OK):
        raise UserError(
            f"{os.getcwd()} cannot be written, and Snakemake keeps notes in the folder that it is started in; start it in another "
            f"one: snakemake -s {snakefile}"
        )


def name_pages(pages: Iterable[str], started: float) -> None:
    """Say which of the pages to read a workflow has written since it started, in seconds since 1970."""
    for page in map(Path, pages):
        if page.exists() and page.stat().st_mtime >= started:
            logger.info(f"robustmia: to be read in a browser: {page}")


def mark_stale(workflow: Any) -> None:
    """Mark results as incomplete that are to be made again from inputs which are to be made again first.

    Snakemake removes the outputs of a job before it runs, and forgets about them if it fails or is killed. What was made from
    the old ones would then pass as up to date. Marked as incomplete, it is made again (`rerun-incomplete`); a job that is done
    removes its mark.
    """
    dag = workflow.dag
    for job in dag.needrun_jobs():
        if any(map(dag.needrun, dag.dependencies[job])) and any(map(os.path.exists, job.output)):
            workflow.persistence.started(job)


# ---------------------------------------------------------------- faults of Snakemake 9.27 and of its SLURM plugin 2.8


def fix_group_errors(failures: Failures) -> None:
    """Snakemake 9.27 drops the message of a failed group of jobs: keep it for the summary."""
    log_error: Any = GroupJob.log_error

    def log_and_keep(group: GroupJob, msg: str | None = None, *arguments: Any, **named: Any) -> None:
        failures.messages[group.groupid] = msg or ""
        log_error(group, msg, *arguments, **named)

    GroupJob.log_error = log_and_keep


def fix_slurm_cancelled_by(slurm: Any) -> None:
    """The plugin 2.8 waits for ever for a job that sacct calls `CANCELLED by 1000`: take the first word alone."""
    query: Any = slurm.query_job_status

    async def first_words(*arguments: Any) -> tuple[dict[str, str] | None, float | None]:
        statuses, seconds = await query(*arguments)
        return statuses and {job: status.partition(" ")[0] for job, status in statuses.items()}, seconds

    slurm.query_job_status = first_words


def fix_slurm_none_assigned(slurm: Any) -> None:
    """The plugin 2.8 takes `None assigned`, of a job that waits again, for the name of a node that failed: exclude none such."""
    command: Any = slurm.get_submit_command

    def without_phrases(*arguments: Any, failed_nodes: Collection[str] | None = None, **named: Any) -> str:
        return command(*arguments, failed_nodes={node for node in failed_nodes or () if " " not in node}, **named)

    slurm.get_submit_command = without_phrases
