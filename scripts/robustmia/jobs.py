"""What surrounds every job: its log, its errors in one line, and the record of how its result came about."""

from __future__ import annotations

import json
import logging
import platform
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from time import perf_counter
from typing import Any

from robustmia.errors import UserError, in_one_line

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

    Messages go to the rule's log. A `UserError` is shown as its one line; any other error as one line that names the log,
    which has the traceback. Where the rule has an output called `spec`, it is written last.

    Args:
        snakemake: the object that Snakemake gives a script.
    """
    log = Path(snakemake.log[0])
    logging.basicConfig(
        filename=log, filemode="w", level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", force=True
    )
    name = " ".join([snakemake.rule, *map(str, snakemake.wildcards)])
    started = perf_counter()
    logger.info("%s starts", name)
    try:
        yield
    except UserError as error:
        logger.error("%s", error)
        sys.exit(f"robustmia: {name}: {error}")
    except Exception as error:
        logger.exception("%s failed", name)
        sys.exit(f"robustmia: {name}: {type(error).__name__}: {in_one_line(error)} (traceback in {log})")
    seconds = perf_counter() - started
    if snakemake.output.get("spec"):
        write_spec(snakemake.output.spec, dict(snakemake.params.spec), snakemake.params.code, seconds)
    logger.info("%s took %.1f s", name, seconds)


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
    """The device that the job could use; a job that never imported torch used the CPU."""
    if "torch" not in sys.modules:
        return "cpu"
    from robustmia.device import describe, pick_device

    return describe(pick_device())


def _git_revision() -> str | None:
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=40", "--match", ""]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):  # no git, or not a clone
        return None
