"""The results that were recorded for `config.yaml`, and how a run compares with them.

`python -m robustmia.workflow.recorded config.yaml` records those that are there, after a run with many seeds:
`snakemake --cores 8 --config 'seeds=[0,1,2,3,4,5,6,7,8,9]'`.
"""

from __future__ import annotations

import json
import platform
import sys
from importlib.metadata import version
from pathlib import Path

import pandas as pd
import yaml
from scipy.stats import t

from robustmia.config.reading import read_config
from robustmia.config.schema import Config
from robustmia.files.tables import read_table
from robustmia.inference.settings import LEVEL
from robustmia.workflow.code_digest import digest
from robustmia.workflow.paths import Paths, filled

RECORDED = Path(__file__).parent.parent.parent.parent / "docs" / "recorded.json"
SMALLEST = 0.001  # a difference of one record of a thousand, for cells that no recorded seed has varied


def comparison_in_words(config: Config, dataset: str, recorded: dict) -> str:
    """Whether the paper's table of a data set is that of the recorded run, up to the spread over seeds; empty if none is recorded.

    A mean differs from the recorded one if it is outside the 95 % prediction interval of as many new seeds, by Student's t and corrected
    for the number of cells (Bonferroni). Seeds that are among the recorded ones share their splits, so that they differ less than that.

    Args:
        config: the configuration in force.
        dataset: its name.
        recorded: by data set, what `record` writes.
    """
    if dataset not in recorded:
        return ""
    before = recorded[dataset]
    about = f"the run that docs/recorded.json has ({before['seeds']} seeds on {before['machine']})"
    if settings_digest(config, dataset) != before["settings"]:
        return f"The settings of {dataset} are not those of {about}: the two are not compared."
    table, seeds = _paper_table(config, dataset)
    then = pd.DataFrame(before["table"]).set_index("run")
    columns = [name for name in map(str, then) if not name.endswith(" sd") and name in table]
    cells = [(run, name) for run in table.index.intersection(then.index) for name in columns]
    limit = t.isf(LEVEL / (2 * len(cells)), before["seeds"] - 1) * (1 / seeds + 1 / before["seeds"]) ** 0.5
    beyond = [
        f"{run}, {name}: {100 * table[name][run]:.1f} in place of {100 * then[name][run]:.1f} ± {100 * then[f'{name} sd'][run]:.1f}"
        for run, name in cells
        if abs(table[name][run] - then[name][run]) > max(SMALLEST, limit * then[f"{name} sd"][run])
    ]
    if beyond:
        return f"Of {len(cells)} numbers, these are beyond the spread over seeds of {about}: {'; '.join(beyond)}."
    return f"All {len(cells)} numbers are within the spread over seeds of {about}."


def settings_digest(config: Config, dataset: str) -> str:
    """A digest of all settings of a data set but the size of its jobs."""
    return digest(config.datasets[dataset].model_dump(mode="json", exclude={"resources"}))


def record(config: Config) -> dict:
    """What is kept of the results of a configuration, by data set."""
    found = {}
    for dataset in config.datasets:
        table, seeds = _paper_table(config, dataset)
        found[dataset] = {
            "machine": machine(),
            "seeds": seeds,
            "settings": settings_digest(config, dataset),
            "table": table.round(5).reset_index().to_dict("records"),
        }
    return found


def _paper_table(config: Config, dataset: str) -> tuple[pd.DataFrame, int]:
    """The paper's table by run, without chance, and the number of seeds."""
    paths = Paths(str(config.results_dir))
    table, over_seeds = (
        read_table(filled(paths.table, dataset=dataset, table=name)) for name in ("paper", "membership_over_seeds")
    )
    return table[table.run != "(chance)"].set_index("run"), int(over_seeds.seeds.max())


def machine() -> str:
    import torch

    names = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if "model name" in line
    ]
    processor = names[0] if names else platform.processor()
    instructions = torch.backends.cpu.get_cpu_capability()
    return f"{processor} ({instructions}), torch {version('torch')}, numpy {version('numpy')}"


if __name__ == "__main__":
    configuration = read_config(yaml.safe_load(Path(sys.argv[1]).read_text(encoding="utf-8")))
    RECORDED.write_text(json.dumps(record(configuration), indent=1) + "\n", encoding="utf-8")
