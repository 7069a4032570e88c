"""Let Snakemake write its own report of the finished tables, figures and studies, on the configuration in force."""

import subprocess
import sys
from pathlib import Path

from robustmia.workflow.job import job

with job(snakemake):
    from robustmia.errors import UserError

    clone = Path(snakemake.scriptdir).parent
    command = [sys.executable, "-m", "snakemake", "all", "--snakefile", str(clone / "Snakefile")]
    command += ["--configfile", snakemake.input.config, "--report", snakemake.output.html, "--nolock", "--cores", "1"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise UserError(f"snakemake --report failed: {(done.stderr.strip().splitlines() or ['no message'])[-1]}")
