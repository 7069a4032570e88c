"""What surrounds every job: its log, its outputs, its errors in one line, and the record of how its result came about."""

from __future__ import annotations

import json
import logging
import os
import platform
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import IO, Any, NoReturn

from robustmia import gpus, lifeline
from robustmia.errors import DamagedError, UserError, in_one_line, visible
from robustmia.locks import LocksUnsupportedError, lock
from robustmia.outputs import whole_outputs

LIBRARIES = (
    "torch",
    "torchvision",
    "numpy",
    "scipy",
    "scikit-learn",
    "pandas",
    "pillow",
    "safetensors",
    "matplotlib",
    "seaborn",
)

logger = logging.getLogger("robustmia")


@contextmanager
def job(snakemake: Any) -> Iterator[None]:
    """Run the body of one rule's script.

    Outputs are written beside their places, which they take together when the body ends; where one is called `spec`, it says
    how they came about. Messages go to the rule's log, which is this job's alone while it runs. A `UserError` is shown as its
    one line; any other error as one line that names the log, which has the traceback.

    Args:
        snakemake: the object that Snakemake gives a script.
    """
    path = Path(snakemake.log[0])
    name = visible(" ".join([snakemake.rule, *map(str, snakemake.wildcards)]))
    lifeline.follow()
    with _alone(path.with_name(f".{path.name}.lock"), name), path.open("w", encoding="utf-8") as log:
        _log_to(log)
        _end_on_request(name)
        started = time.perf_counter()
        logger.info("%s starts", name)
        try:
            _leave_the_future(snakemake.input)
            with whole_outputs(snakemake.output):
                yield
                seconds = time.perf_counter() - started
                if snakemake.output.get("spec"):
                    write_spec(snakemake.output.spec, dict(snakemake.params.spec), snakemake.params.code, seconds)
        except DamagedError as error:
            _fail(name, f"{error}; {_set_aside(error.path, snakemake.input)}")
        except UserError as error:
            _fail(name, str(error))
        except KeyboardInterrupt:
            _fail(name, "interrupted")
        except Exception as error:
            logger.exception("%s: %s", type(error).__name__, in_one_line(error))
            sys.exit(
                f"robustmia: {name}: {visible(f'{type(error).__name__}: {in_one_line(error)} (traceback in {path})')}"
            )
        logger.info("%s took %.1f s", name, seconds)


def _fail(name: str, reason: str) -> NoReturn:
    logger.error("%s", reason)
    sys.exit(f"robustmia: {name}: {visible(reason)}")


@contextmanager
def _alone(path: Path, name: str) -> Iterator[None]:
    """Two processes that make the same files wait for each other. Not by the log itself: Snakemake removes it before each job."""
    try:
        held = lock(path)
        if held is None:
            print(f"robustmia: {name}: another process is still making these files; waiting for it", file=sys.stderr)
            held = lock(path, wait=True)
    except LocksUnsupportedError:
        held = None
    with held or nullcontext():
        yield


class _Lines(logging.Formatter):
    """One line a message, tracebacks set in, and no control characters: what looks like a message is one."""

    def format(self, record: logging.LogRecord) -> str:
        record.message = visible(record.getMessage())
        record.asctime = self.formatTime(record)
        lines = self.formatException(record.exc_info).splitlines() if record.exc_info else []
        return "\n".join([self.formatMessage(record), *(f"    | {visible(line)}" for line in lines)])


def _log_to(log: IO[str]) -> None:
    handler = logging.StreamHandler(log)
    handler.setFormatter(_Lines("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)


def _end_on_request(name: str) -> None:
    """Let SIGTERM, which a cluster or a shutdown sends ahead of SIGKILL, end the job with a line, and clean up after it."""

    def end(number: int, _: object) -> NoReturn:
        _fail(name, f"stopped by {signal.Signals(number).name}")

    signal.signal(signal.SIGTERM, end)


def _set_aside(damaged: str, inputs: Any) -> str:
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


def _leave_the_future(inputs: Any) -> None:
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
    Path(path).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def _versions() -> dict[str, str]:
    found = {}
    for library in LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:  # an environment for analysis has no torch
            continue
    return found


def _device() -> str:
    """The device that the job used."""
    if not gpus.is_any_held():
        return "cpu"
    from robustmia.device import describe, pick_device

    return describe(pick_device())


def _git_revision() -> str | None:
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=40", "--match", ""]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):  # no git, or not a clone
        return None
