"""Let Snakemake write its report of the finished tables and figures, on the configuration in force."""

import subprocess
import sys
from pathlib import Path

import yaml

from robustmia.errors import UserError
from robustmia.jobs import job

with job(snakemake):
    Path(snakemake.output.config).write_text(yaml.safe_dump(snakemake.params.config, sort_keys=False), encoding="utf-8")
    command = [sys.executable, "-m", "snakemake", "tables", "figures", "--snakefile", snakemake.params.snakefile]
    command += ["--configfile", snakemake.output.config, "--report", snakemake.output.html, "--nolock", "--cores", "1"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise UserError(f"snakemake --report failed: {(done.stderr.strip().splitlines() or ['no message'])[-1]}")
