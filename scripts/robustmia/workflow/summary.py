"""What `make run` ends with: the main table, the conclusions, and where everything is. `python -m robustmia.workflow.summary config.yaml`"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import yaml

from robustmia.config.reading import read_config
from robustmia.errors import UserError
from robustmia.workflow.paths import Paths, filled
from robustmia.workflow.recorded import RECORDED, comparison_in_words


def summary(config_path: str | Path) -> str:
    """The paper's table of each data set, the conclusions in words, how they compare with the recorded run, and the paths of the results.

    Raises:
        UserError: the configuration is not valid, or the tables are not there yet.
    """
    config = read_config(yaml.safe_load(Path(config_path).read_text(encoding="utf-8")))
    paths, parts = Paths(str(config.results_dir)), []
    for dataset in config.datasets:
        table, conclusions = (
            Path(filled(paths.rendered, dataset=dataset, table=name, form="md")) for name in ("paper", "conclusions")
        )
        if not table.exists():
            raise UserError(f"{table}: not there yet; run make run")
        words = conclusions.read_text(encoding="utf-8").split("\n\n")[1:-1]  # without how they were found
        words.append(comparison_in_words(config, dataset, json.loads(RECORDED.read_text(encoding="utf-8"))))
        parts += [
            f"{dataset}\n\n{table.read_text(encoding='utf-8')}",
            *(f"{paragraph}\n" for paragraph in words if paragraph),
        ]
    results = config.results_dir
    where = {"tables": results / "tables", "figures": results / "figures", "report": paths.report}
    return "\n".join(["", *parts, *(f"{name:8} {path}" for name, path in where.items())])


if __name__ == "__main__":
    try:
        print(summary(sys.argv[1]))
    except UserError as error:
        sys.exit(f"robustmia: {error}")
