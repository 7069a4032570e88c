"""Whether the files are there that data sets are read from."""

from __future__ import annotations

import json
from itertools import chain
from pathlib import Path

from robustmia.config.reading import check_source
from robustmia.data.source import Source
from robustmia.settings import instantiate
from robustmia.workflow.paths import Paths, filled
from robustmia.workflow.variants import Variants


def check_sources(variants: Variants, paths: Paths, data_dir: Path) -> None:
    """Raise `UserError` for a data set, as configured or at a point of a study, whose files are missing, unless the results hold it already."""
    keys = {variant: f"datasets.{variant.dataset}.source" for variant in variants.runs.values()}
    for study, points in variants.of_studies.items():
        keys |= dict.fromkeys(chain(*points), f"studies.{study}: source")
    of_dataset = {variants.names("fetch", variant)["dataset"]: variant for variant in reversed(keys)}
    for name, variant in of_dataset.items():
        source = variant.settings.source
        if not (Path(filled(paths.records, dataset=name)).exists() and _fetched(paths, name) == source):
            check_source(source, data_dir, keys[variant])


def _fetched(paths: Paths, name: str) -> Source | None:
    """The source that a data set of the results came from; None where nothing says so."""
    spec = Path(filled(paths.records_spec, dataset=name))
    try:
        return instantiate(json.loads(spec.read_text(encoding="utf-8"))["spec"]["source"])
    except (OSError, ValueError, KeyError, AttributeError, ImportError):  # not there, or of another version
        return None
