"""What surrounds every job: its log, its GPU, its errors in one line, and the record of how its result came about."""

from __future__ import annotations

import gc
import json
import logging
import os
import platform
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
import traceback
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NoReturn

from filelock import FileLock, Timeout

from robustmia.errors import DamagedError, UserError, escape_control_characters, first_line, is_out_of_memory
from robustmia.files.atomic import write_text
from robustmia.workflow.gpu_lock import one_gpu
from robustmia.workflow.logs import job_log

LIBRARIES = (
    *("torch", "torchvision", "numpy", "scipy", "scikit-learn", "pandas", "pillow", "safetensors"),
    *("matplotlib", "seaborn"),
)

LESS_OF_MODELS = "lower batch_size, the network's width or the images' size"
LESS_OF_TABLES = "lower shadow_models, or the numbers of members and non-members"
"""What a job needs less memory with: one with models, and one that reads their answers."""

logger = logging.getLogger("robustmia")


@contextmanager
def job(snakemake: Any) -> Iterator[None]:
    """Run the body of one rule's script.

    Messages and progress go to the rule's log, which is this job's alone while it runs. An output called `spec` says how the
    others came about. A job that asks for a GPU sees one that no other job has. A `UserError` is one line in the log; any other
    error has its traceback there, too.

    Args:
        snakemake: the object that Snakemake gives a script.
    """
    path = Path(snakemake.log[0])
    name = job_name(snakemake.rule, snakemake.wildcards)
    with ExitStack() as stack:
        stack.enter_context(little_garbage_collection())
        _wait_for_others(stack, path.with_name(f".{path.name}.lock"), name)
        stack.enter_context(job_log(path))
        signal.signal(signal.SIGTERM, _stop)
        try:
            if snakemake.resources.get("gpu", 0):
                stack.enter_context(one_gpu())
            clamp_future_mtimes(snakemake.input)
            started = time.perf_counter()
            logger.info("%s starts", name)
            yield
            seconds = time.perf_counter() - started
            if snakemake.output.get("spec"):
                write_spec(snakemake.output.spec, dict(snakemake.params.spec), snakemake.params.code, seconds)
        except DamagedError as error:
            _fail(f"{error}; {quarantine(error.path, snakemake.input)}")
        except UserError as error:
            _fail(str(error))
        except KeyboardInterrupt:
            _fail("interrupted")
        except Exception as error:
            if is_out_of_memory(error):
                less = LESS_OF_MODELS if "torch" in sys.modules else LESS_OF_TABLES
                _fail(f"not enough memory ({first_line(error)}); {less}, or give the job more")
            logger.exception("%s: %s (%s)", type(error).__name__, first_line(error), _place(error))
            sys.exit(1)
        logger.info("%s took %.1f s", name, seconds)


@contextmanager
def little_garbage_collection() -> Iterator[None]:
    """Look for cycles of unused objects rarely, and not when the process ends.

    Imports make some 100,000 objects that stay. Python looks through all of them again and again, and a last time at its end: half a
    second of a job that imports torch.
    """
    gc.set_threshold(100_000)
    try:
        yield
    finally:
        gc.freeze()


def job_name(rule: str, wildcards: Any) -> str:
    """A rule and the values of its wildcards, on one line."""
    values = wildcards.values() if isinstance(wildcards, dict) else wildcards
    return escape_control_characters(" ".join([rule, *map(str, values)]))


def _fail(reason: str) -> NoReturn:
    logger.error("%s", reason)
    sys.exit(1)


def _place(error: Exception) -> str:
    """Where an error arose, in the innermost code that is neither a library's nor Python's own."""
    others = ("<", sysconfig.get_path("stdlib"), sysconfig.get_path("purelib"), sysconfig.get_path("platlib"))
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith(others)]
    return f"{Path(own[-1].filename).name}, line {own[-1].lineno}"


def _stop(number: int, _: object) -> NoReturn:
    """End with a line on SIGTERM, which a cluster or a shutdown sends ahead of SIGKILL, so that locks and files are cleaned up."""
    _fail(f"stopped by {signal.Signals(number).name}")


def _wait_for_others(stack: ExitStack, path: Path, name: str) -> None:
    """Processes that make the same files wait for each other. Not by the log itself: Snakemake removes it before each job."""
    lock = FileLock(path)
    try:
        stack.enter_context(lock.acquire(timeout=0))
    except Timeout:
        print(f"robustmia: {name}: another process is still making these files; waiting for it", file=sys.stderr)
        stack.enter_context(lock.acquire())


def quarantine(damaged: str, inputs: Any) -> str:
    """Move a damaged input, or the folder that is one and holds it, out of the way, so that Snakemake makes it again."""
    for path in map(Path, inputs):
        if path == Path(damaged) or path in Path(damaged).parents:
            aside = path.with_name(f"{path.name}.damaged")
            if aside.is_dir():
                shutil.rmtree(aside)
            with suppress(FileNotFoundError):  # another job has found the same
                path.replace(aside)
            return f"moved to {aside}; the same command makes it again"
    return "delete it, and the same command makes it again"


def clamp_future_mtimes(inputs: Any) -> None:
    """Date inputs from the future to now: Snakemake would refuse outputs that are older than they are, now and ever after."""
    now = time.time()
    for path in map(Path, inputs):
        dated = path / ".snakemake_timestamp" if path.is_dir() else path
        if dated.exists() and dated.stat().st_mtime > now:
            logger.warning("%s is dated in the future; its time is set to now", path)
            with suppress(PermissionError):  # somebody else's file
                os.utime(dated, (now, now))


def write_spec(path: str | Path, spec: dict[str, Any], code: str, seconds: float) -> None:
    """`spec.json`: the spec, the digest of the code, library versions, device, git revision and wall time in seconds."""
    record = {
        "spec": spec,
        "code": code,
        "git_revision": _git_revision(),
        "versions": {"python": platform.python_version(), **_versions()},
        "device": _device(),
        "seconds": round(seconds, 2),
    }
    write_text(path, json.dumps(record, indent=2) + "\n")


def _versions() -> dict[str, str]:
    found = {}
    for library in LIBRARIES:
        with suppress(PackageNotFoundError):  # an environment for analysis has no torch
            found[library] = version(library)
    return found


def _device() -> str:
    """The device that the job used."""
    torch = sys.modules.get("torch")
    return torch.cuda.get_device_name() if torch is not None and torch.cuda.is_available() else "cpu"


def _git_revision() -> str | None:
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=40", "--match", ""]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):  # no git, or not a clone
        return None
