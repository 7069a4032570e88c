"""The state of a training on the disk: checked when it is read, and replaced only by one that is whole."""

from __future__ import annotations

import hashlib
import io
import logging
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from robustmia.files.atomic import atomic_path

logger = logging.getLogger(__name__)

DIGEST_BYTES = hashlib.sha256().digest_size


@dataclass
class Position:
    """How far a training is: whole epochs, and what has been gathered in the one that it is in."""

    epoch: int = 0
    """Whole epochs done."""
    history: list[dict] = field(default_factory=list)
    """A row for each of them."""
    steps: int = 0
    """Steps done in the next one."""
    learning_rate: float = 0.0
    """Of the last step."""
    losses: list[Tensor] = field(default_factory=list)
    """One for each of these steps."""
    counts: dict[str, Tensor] = field(default_factory=dict)
    """[correct, all] in these steps, for each kind of images that the method trained on."""
    generators: list[Tensor] = field(default_factory=list)
    """States of the random generators after them."""
    best: dict = field(default_factory=dict)
    """Of early stopping: `epoch`, `accuracy` and `weights`; empty before the first evaluation, and without it."""


class Checkpoint:
    """The state of a training, in one file that is replaced at once or not at all, and the state before, in another.

    Args:
        path: the file; its name tells spec and code apart. The other one's name ends in `.before.pt`. That of a training which
            ends early ends in `-after<epochs>.pt`; a longer one goes on from it.
        data: a digest of what is trained on; a state of other data is ignored.
    """

    def __init__(self, path: Path, data: str = ""):
        self.path, self.data = path, data
        self.before = path.with_suffix(f".before{path.suffix}")

    def save(self, position: Position, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        """Write the state; the one written before is kept."""
        self.write(position, model.state_dict(), optimizer.state_dict(), next(model.parameters()).device)

    def write(self, position: Position, model: dict, optimizer: dict, device: torch.device) -> None:
        """The same from the state dicts of both, on a device; a digest stands in front."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        content = io.BytesIO()
        state = {"data": self.data, "device": device.type, "position": vars(position)}
        torch.save(state | {"model": model, "optimizer": optimizer}, content)
        with atomic_path(self.path) as place:
            with place.open("wb") as file:
                file.write(hashlib.sha256(content.getbuffer()).digest())
                file.write(content.getbuffer())
                file.flush()
                os.fsync(file.fileno())  # the new state is on the disk before the old one is moved
            with suppress(FileNotFoundError):
                self.path.replace(self.before)

    def restore(self, model: nn.Module, optimizer: torch.optim.Optimizer, device: torch.device) -> Position:
        """Load the last state that is whole; returns where it was, or the start."""
        for state in self.states(device):
            model.load_state_dict(state["model"])
            optimizer.load_state_dict(state["optimizer"])
            return Position(**state["position"])
        return Position()

    def states(self, device: torch.device) -> Iterator[dict]:
        """The states that are whole, the last one first: `position`, `model` and `optimizer`. Nothing but tensors is unpickled.

        A file that is damaged is removed, and said so in the log: the one before counts, or the training starts over.
        """
        for path in (self.path, self.before, *self._of_shorter()):
            state = self._read(path, device)
            if state is not None:
                yield state

    def _of_shorter(self) -> list[Path]:
        """States in which the same training ended early, the longest first."""
        name, own = _parts(self.path)
        parts = {path: _parts(path) for path in self.path.parent.glob("*.pt")}
        found = {epochs: path for path, (of, epochs) in parts.items() if of == name and epochs}
        return [found[epochs] for epochs in sorted(found, reverse=True) if not own or epochs < own]

    def _read(self, path: Path, device: torch.device) -> dict | None:
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        if hashlib.sha256(content[DIGEST_BYTES:]).digest() != content[:DIGEST_BYTES]:
            logger.warning("%s: damaged checkpoint (its digest is wrong), removed", path)
            path.unlink()
            return None
        state = torch.load(io.BytesIO(content[DIGEST_BYTES:]), map_location=device, weights_only=True)
        if state["data"] != self.data:
            logger.warning("%s: a checkpoint of other images, ignored", path)
            return None
        if state["position"]["steps"] and state["device"] != device.type:  # whose random numbers are others
            logger.warning("%s: in the middle of an epoch on another kind of device, ignored", path)
            return None
        return state

    def discard(self) -> None:
        """Remove the files, once the model is safe elsewhere; a state from which a longer training may go on is kept."""
        for path in (self.before,) if _parts(self.path)[1] else (self.path, self.before):
            path.unlink(missing_ok=True)  # the folder stays: another training may be about to write into it


def _parts(path: Path) -> tuple[str, int | None]:
    """The name of a training, and the epochs after which it ends early, from that of its checkpoint."""
    found = re.fullmatch(r"(.*)-after(\d+)", path.stem)
    return (found[1], int(found[2])) if found else (path.stem, None)
