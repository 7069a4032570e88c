"""The signals of an audited model between two jobs: a folder with a file for each that applies, and notes."""

from __future__ import annotations

import json
from pathlib import Path

from robustmia.logits import SignalLogits

NOTES = "notes.json"
SIGNALS_IN_ORDER = ("benign", "adversarial", "targeted", "verified")


def save_signals(folder: str | Path, signals: dict[str, SignalLogits], notes: list[str]) -> None:
    """A file for each signal, and the notes."""
    Path(folder).mkdir(parents=True)
    for name, signal in signals.items():
        signal.save(Path(folder) / f"{name}.npz")
    (Path(folder) / NOTES).write_text(json.dumps(notes), encoding="utf-8")


def load_signals(folder: str | Path) -> tuple[dict[str, SignalLogits], list[str]]:
    """What `save_signals` wrote."""
    names = [name for name in SIGNALS_IN_ORDER if (Path(folder) / f"{name}.npz").exists()]
    signals = {name: SignalLogits.load(Path(folder) / f"{name}.npz") for name in names}
    return signals, json.loads((Path(folder) / NOTES).read_text(encoding="utf-8"))
