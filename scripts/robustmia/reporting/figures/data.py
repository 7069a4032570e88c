"""The files that figures of a data set are drawn from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from robustmia.data.records import Records
from robustmia.files.signals import Examples
from robustmia.files.tables import read_table


@dataclass(frozen=True)
class FigureData:
    """The files of one data set that a figure is drawn from, read when they are asked for."""

    runs: Sequence[str]
    """Names of the runs, in order."""
    table_path: str | None = None
    records_path: str | None = None
    examples_paths: Sequence[str] = ()
    conclusions_path: str | None = None

    @cached_property
    def table(self) -> pd.DataFrame:
        """The CSV that `Figure.table` names."""
        assert self.table_path is not None
        return read_table(self.table_path)

    @cached_property
    def conclusions(self) -> pd.DataFrame:
        """`conclusions.csv`: for each run the accuracy of the strongest honest attack, the highest first."""
        assert self.conclusions_path is not None
        return read_table(self.conclusions_path).sort_values("accuracy", ascending=False, kind="stable")

    @property
    def by_leakage(self) -> list[str]:
        """Names of the runs, that which leaks most first."""
        return self.conclusions.run.tolist()

    @property
    def natural(self) -> str | None:
        """The run that the others are compared with: the first one that is trained naturally."""
        trained = set(self.table.run[self.table.method == "natural"])
        return next((run for run in self.runs if run in trained), None)

    @cached_property
    def records(self) -> Records:
        """All records, for a figure that shows images."""
        assert self.records_path is not None
        return Records.load(self.records_path)

    @cached_property
    def examples(self) -> dict[str, Examples]:
        """Perturbed images of the first seed, by run."""
        return {run: Examples.load(path) for run, path in zip(self.runs, self.examples_paths, strict=True)}
