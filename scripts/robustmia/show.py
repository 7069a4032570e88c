"""What `make run` ends with: the main table, the findings, and where all is. `python -m robustmia.show config.yaml`"""

from __future__ import annotations

import sys
from pathlib import Path

import yaml

from robustmia.config import read_config
from robustmia.errors import UserError


def summary(config_path: str | Path) -> str:
    """The paper's table of each data set, what it says in words, and the paths of the results.

    Raises:
        UserError: the configuration is not sound, or the tables are not there yet.
    """
    config = read_config(yaml.safe_load(Path(config_path).read_text(encoding="utf-8")))
    results = config.results_dir
    parts = []
    for dataset in config.datasets:
        table = results / "tables" / dataset / "paper.md"
        if not table.exists():
            raise UserError(f"{table}: not there yet; run make run")
        parts.append(f"{dataset}\n\n{table.read_text(encoding='utf-8')}")
        findings = results / "tables" / dataset / "findings.md"
        words = findings.read_text(encoding="utf-8").split("\n\n")[1:-1]  # but for how they were found
        parts += [f"{paragraph}\n" for paragraph in words]
    where = {"tables": results / "tables", "figures": results / "figures", "report": results / "report.html"}
    return "\n".join(["", *parts, *(f"{name:8} {path}" for name, path in where.items())])


if __name__ == "__main__":
    try:
        print(summary(sys.argv[1]))
    except UserError as error:
        sys.exit(f"robustmia: {error}")
