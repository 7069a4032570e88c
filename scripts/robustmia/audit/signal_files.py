"""The signals of an audited model between two jobs: a folder with a file for each, and notes."""

from __future__ import annotations

import json
from pathlib import Path

from robustmia.errors import DamagedError, first_line
from robustmia.files.atomic import write_text
from robustmia.files.signals import SignalLogits

CONTENTS = "contents.json"


def save_signals(folder: str | Path, signals: dict[str, SignalLogits], notes: list[str]) -> None:
    """A file for each signal, and last of all one with their names and the notes."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    for name, signal in signals.items():
        signal.save(Path(folder) / f"{name}.npz")
    write_text(Path(folder) / CONTENTS, json.dumps({"signals": list(signals), "notes": notes}))


def load_signals(folder: str | Path) -> tuple[dict[str, SignalLogits], list[str]]:
    """What `save_signals` wrote; a damaged file is a `DamagedError`."""
    path = Path(folder) / CONTENTS
    try:
        contents = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DamagedError(path, first_line(error)) from error
    signals = {name: SignalLogits.load(Path(folder) / f"{name}.npz") for name in contents["signals"]}
    return signals, contents["notes"]
