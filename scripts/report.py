"""Let Snakemake write its report of the finished tables and figures, on the configuration in force, the conclusions first."""

import os
import subprocess
import sys
from pathlib import Path

from robustmia.workflow.job import job

with job(snakemake):
    import yaml

    from robustmia.errors import UserError
    from robustmia.files.atomic import write_text
    from robustmia.files.tables import read_table
    from robustmia.reporting.conclusions import first_page

    write_text(snakemake.output.config, yaml.safe_dump(snakemake.params.config, sort_keys=False))
    clone = Path(snakemake.scriptdir).parent
    introduction = (clone / "report" / "workflow.rst").read_text(encoding="utf-8")
    write_text(snakemake.output.page, first_page(introduction, [read_table(p) for p in snakemake.input.conclusions]))
    command = [sys.executable, "-m", "snakemake", "tables", "figures", "--snakefile", str(clone / "Snakefile")]
    command += ["--configfile", snakemake.output.config, "--report", snakemake.output.html, "--nolock", "--cores", "1"]
    environment = os.environ | {"ROBUSTMIA_FIRST_PAGE": str(Path(snakemake.output.page).resolve())}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        raise UserError(f"snakemake --report failed: {(done.stderr.strip().splitlines() or ['no message'])[-1]}")
