"""The signals of an audited model between two jobs: a folder with their file, whose records they are, and notes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from robustmia.errors import DamagedError, first_line
from robustmia.files.atomic import write_text
from robustmia.files.signals import SignalLogits, load_signals, save_signals

SIGNALS, CONTENTS = "signals.npz", "contents.json"


@dataclass(frozen=True)
class AuditedSignals:
    """What an audited model answered to its members and non-members."""

    signals: dict[str, SignalLogits]
    """By name; the records of all of them are the same."""
    rows: list[int]
    """Of members, then of non-members: rows of the data set, or of the arrays of predictions."""
    names: list[str]
    """The same records by name: their files, or the array and the row in it."""
    warnings: list[str]
    """What may make the numbers wrong or weak."""
    notes: list[str]
    """What else is to be known of the model and of what was computed."""

    def save(self, folder: str | Path) -> None:
        """A file with the signals, and one with the rest."""
        Path(folder).mkdir(parents=True, exist_ok=True)
        save_signals(Path(folder) / SIGNALS, self.signals)
        contents = {"rows": self.rows, "names": self.names, "warnings": self.warnings, "notes": self.notes}
        write_text(Path(folder) / CONTENTS, json.dumps(contents))

    @classmethod
    def load(cls, folder: str | Path) -> AuditedSignals:
        """What `save` wrote; a damaged file is a `DamagedError`."""
        path = Path(folder) / CONTENTS
        try:
            contents = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise DamagedError(path, first_line(error)) from error
        return cls(load_signals([Path(folder) / SIGNALS]), **contents)
