"""Let Snakemake write its report of the finished tables and figures, on the configuration in force, the findings first."""

import os
import subprocess
import sys
from pathlib import Path

import yaml

from robustmia.errors import UserError
from robustmia.jobs import job

with job(snakemake):
    from robustmia.findings import first_page
    from robustmia.table_files import read_table

    Path(snakemake.output.config).write_text(yaml.safe_dump(snakemake.params.config, sort_keys=False), encoding="utf-8")
    introduction = Path(snakemake.params.introduction).read_text(encoding="utf-8")
    page = first_page(introduction, [read_table(path) for path in snakemake.input.findings], snakemake.params.missing)
    Path(snakemake.output.page).write_text(page, encoding="utf-8")
    command = [sys.executable, "-m", "snakemake", *snakemake.params.targets, "--snakefile", snakemake.params.snakefile]
    command += ["--configfile", snakemake.output.config, "--report", snakemake.output.html, "--nolock", "--cores", "1"]
    environment = os.environ | {"ROBUSTMIA_FIRST_PAGE": str(Path(snakemake.output.page).resolve())}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        raise UserError(f"snakemake --report failed: {(done.stderr.strip().splitlines() or ['no message'])[-1]}")
