"""Start the script of one job by hand, on its real inputs, in a debugger or a notebook.

`PYTHONPATH=scripts python -m robustmia.workflow.by_hand results/models/digits/pgd/seed0/model.safetensors` runs the script that
makes the file, with its messages on the terminal; with `--pdb` a debugger opens where it fails. In a notebook,
`snakemake = snakemake_for("results/...")` is the object that the script would be given.
"""

from __future__ import annotations

import argparse
import logging
import os
import pdb
import runpy
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from snakemake.api import SnakemakeApi
from snakemake.exceptions import MissingRuleException
from snakemake.iocontainers import Snakemake
from snakemake.settings.types import ConfigSettings, DAGSettings, OutputSettings, ResourceSettings

from robustmia.errors import UserError
from robustmia.workflow.logs import TO_STDERR


def snakemake_for(output: str, configfiles: Sequence[str] = (), snakefile: str = "Snakefile") -> Snakemake:
    """The object that Snakemake gives the script which makes a file.

    Args:
        output: the file, as a path under `results_dir`.
        configfiles: laid over `config.yaml`, as with `--configfile`.

    Raises:
        UserError: no script makes this file.
    """
    return _prepare(output, configfiles, snakefile)[0]


def run(output: str, configfiles: Sequence[str] = (), snakefile: str = "Snakefile") -> None:
    """Run the script that makes a file, in this process; the file is written again, its inputs must be there."""
    snakemake, script = _prepare(output, configfiles, snakefile)
    for path in [*snakemake.output, *snakemake.log]:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    os.environ[TO_STDERR] = "1"
    runpy.run_path(str(script), {"snakemake": snakemake})


def _prepare(output: str, configfiles: Sequence[str], snakefile: str) -> tuple[Snakemake, Path]:
    quiet = OutputSettings(log_level_override=logging.ERROR, enable_file_logging=False)
    configs = ConfigSettings(configfiles=[Path(path) for path in configfiles])
    with SnakemakeApi(quiet) as api:
        workflow = api.workflow(ResourceSettings(cores=1), configs, snakefile=Path(snakefile))
        workflow.dag(DAGSettings(targets={output}))
        inner = workflow._workflow  # Snakemake 9.27 has no public way to a job
        inner._prepare_dag(forceall=False, ignore_incomplete=True, lock_warn_only=True)
        try:
            inner._build_dag()
        except MissingRuleException:
            raise UserError(f"{output}: no rule makes this file; name an output of a rule") from None
        job = next(job for job in inner.dag.jobs if output in job.output)
        if not job.rule.script:
            raise UserError(f"{output}: the rule {job.rule.name} has no script")
        script = Path(job._path_to_source_file(job.rule.script).get_path_or_uri(secret_free=True))
        given = (job.input, job.output, job.params, job.wildcards, job.threads, job.resources, job.log)
        config = job.rule.module_globals["config"]
        return Snakemake(*given, config, job.rule.name, None, str(script.parent)), script


def main(arguments: Sequence[str]) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="robustmia.workflow.by_hand", description="Run one job's script by hand.")
    parser.add_argument(
        "output", help="a file that the script makes, such as results/models/digits/pgd/seed0/model.safetensors"
    )
    parser.add_argument("--configfile", nargs="+", default=[], help="laid over config.yaml")
    parser.add_argument("--pdb", action="store_true", help="open a debugger where the script fails")
    given = parser.parse_args(arguments)
    try:
        run(given.output, given.configfile)
    except UserError as error:
        sys.exit(f"robustmia: {error}")
    except BaseException as error:
        if not given.pdb:
            raise
        cause = error.__context__ or error  # a job that fails ends with SystemExit, raised from what went wrong
        traceback.print_exception(cause)
        pdb.post_mortem(cause.__traceback__)


if __name__ == "__main__":
    main(sys.argv[1:])
