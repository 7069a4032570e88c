"""Files of data sets that are not there are named before any job, unless the results hold the data set."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from helpers import ROOT, refused
from robustmia.config.reading import read_config
from robustmia.config.studies import read_points
from robustmia.workflow.paths import Paths, filled
from robustmia.workflow.source_files import check_sources
from robustmia.workflow.specs import Specs
from robustmia.workflow.targets import Targets

NOWHERE = {"name": "image_folder", "path": "nowhere", "size": [8, 8]}
STUDY = {"mine": {"dataset": "digits", "change": {"source": NOWHERE}}}


def targets_with(folder: Path, **changes: object) -> Targets:
    """Of digits, and what changes beside them."""
    raw = yaml.safe_load((ROOT / "config.yaml").read_text()) | {"results_dir": str(folder)}
    raw["datasets"] |= changes.pop("datasets", {})
    config = read_config(raw | changes)
    return Targets(config, Paths(str(folder)), read_points(raw | changes, config))


def check(targets: Targets) -> None:
    check_sources(targets.variants, targets.paths, targets.config.data_dir)


def fetched(targets: Targets, name: str) -> None:
    """Write what the rule `fetch` leaves."""
    records = Path(filled(targets.paths.records, dataset=name))
    records.parent.mkdir(parents=True)
    records.touch()
    spec = json.dumps({"spec": Specs(targets).fetch(name)})
    Path(filled(targets.paths.records_spec, dataset=name)).write_text(spec)


@pytest.mark.parametrize(
    ("source", "file"),
    [({"name": "yale"}, "data/CroppedYale.zip"), ({"name": "image_folder", "path": "faces"}, "data/faces")],
)
def test_missing_files_of_a_data_set_are_named(tmp_path, source, file):
    mine = yaml.safe_load((ROOT / "config.yaml").read_text())["datasets"]["digits"] | {"source": source}
    with refused(f"config: datasets.mine.source: {file}: "):
        check(targets_with(tmp_path, datasets={"mine": mine}))


def test_missing_files_of_a_studys_point_are_named(tmp_path):
    with refused("studies.mine: source: data/nowhere"):
        check(targets_with(tmp_path, studies=STUDY))


def test_what_the_results_hold_needs_no_files(tmp_path):
    targets = targets_with(tmp_path, studies=STUDY)
    (variant, *_) = targets.variants.of_studies["mine"][0]
    fetched(targets, targets.variants.names("fetch", variant)["dataset"])
    check(targets)
