"""The one training loop: batches, schedule, augmentation, progress, checkpoint and resume, whatever the method."""

from __future__ import annotations

import hashlib
import io
import logging
import math
import os
import signal
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from pkgutil import resolve_name
from time import perf_counter
from typing import NoReturn

import pandas as pd
import torch
from pydantic import TypeAdapter
from torch import Tensor, nn
from torch.nn.functional import pad
from tqdm import tqdm

from robustmia.attacks import Ball, cross_entropy_loss, pgd, predict
from robustmia.data.records import Records
from robustmia.data.split import Split
from robustmia.device import Generators, derive_seed, generator_for, to_device, to_pixels
from robustmia.errors import UserError
from robustmia.methods.base import Method, Progress, Step
from robustmia.models import build_network
from robustmia.settings import (
    AnyScheduleSettings,
    AugmentationSettings,
    CosineScheduleSettings,
    MonitorSettings,
    OneCycleScheduleSettings,
    PiecewiseScheduleSettings,
    SGDSettings,
    TrainingSettings,
)

logger = logging.getLogger(__name__)

MONITOR_COLUMNS = ("member_clean", "member_adversarial", "nonmember_clean", "nonmember_adversarial")
SEEN = ("clean", "adversarial", "verified")  # what a method may show of a step
SHOWN_EVERY = 50  # batches between two looks at the running loss, which the device has to be waited for
WATCHED_AT_ONCE = 256
DIGEST = hashlib.sha256().digest_size


# ---------------------------------------------------------------- parts of a step


def schedule_factor(schedule: AnyScheduleSettings, epoch: float, epochs: int) -> float:
    """What the learning rate is multiplied with.

    Args:
        epoch: epochs done so far, fractions included.
        epochs: epochs in all.
    """
    match schedule:
        case PiecewiseScheduleSettings():
            passed = sum(epoch >= boundary for boundary in schedule.epochs)
            return schedule.factors[passed - 1] if passed else 1.0
        case CosineScheduleSettings():
            return 0.5 * (1.0 + math.cos(math.pi * epoch / epochs))
        case OneCycleScheduleSettings(start=start, peak=peak):
            done = epoch / epochs
            return start + (1.0 - start) * done / peak if done < peak else (1.0 - done) / (1.0 - peak)
    return 1.0


def augment(images: Tensor, settings: AugmentationSettings, generator: torch.Generator) -> Tensor:
    """Randomly cropped and mirrored images, [B, C, H, W] like the given ones; each image has a draw of its own."""
    if settings.crop_padding:
        images = _random_crop(images, settings.crop_padding, generator)
    if settings.horizontal_flip:
        mirrored = torch.rand((len(images), 1, 1, 1), generator=generator, device=images.device) < 0.5
        images = torch.where(mirrored, images.flip(3), images)
    return images


def _random_crop(images: Tensor, padding: int, generator: torch.Generator) -> Tensor:
    count, _, height, width = images.shape
    shifts = torch.randint(2 * padding + 1, (2, count, 1), generator=generator, device=images.device)
    rows = shifts[0] + torch.arange(height, device=images.device)
    columns = shifts[1] + torch.arange(width, device=images.device)
    padded = pad(images, (padding,) * 4)
    which = torch.arange(count, device=images.device).view(-1, 1, 1)
    return padded.permute(0, 2, 3, 1)[which, rows.unsqueeze(2), columns.unsqueeze(1)].permute(0, 3, 1, 2)


def build_optimizer(model: nn.Module, settings: TrainingSettings) -> torch.optim.Optimizer:
    options = settings.optimizer
    if isinstance(options, SGDSettings):
        return torch.optim.SGD(
            model.parameters(),
            options.learning_rate,
            momentum=options.momentum,
            weight_decay=options.weight_decay,
        )
    return torch.optim.Adam(model.parameters(), options.learning_rate, weight_decay=options.weight_decay)


def _hits(seen: tuple[Tensor, Tensor] | None) -> Tensor | float:
    """[correct, seen] of logits and labels; 0 where the method showed none."""
    if seen is None:
        return 0.0
    correct = (seen[0].argmax(1) == seen[1]).float()
    return torch.stack([correct.sum(), torch.ones_like(correct).sum()])


# ---------------------------------------------------------------- checkpoints


@dataclass
class Position:
    """How far a training is: whole epochs, and what the one that it is in has gathered."""

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
    hits: dict[str, Tensor] = field(default_factory=dict)
    """Correct and seen in them, by what the method showed."""
    generators: list[Tensor] = field(default_factory=list)
    """States of the random generators after them."""


class Checkpoint:
    """The state of a training, in one file that is replaced at once or not at all, and the state before, in another.

    Args:
        path: the file; its name tells spec and code apart. The other one's name ends in `.before.pt`.
        data: a digest of what is trained on; a state of other data is not restored.
    """

    def __init__(self, path: Path, data: str = ""):
        self.path, self.data = path, data
        self.before = path.with_suffix(f".before{path.suffix}")

    def save(self, position: Position, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        """Write the state, with a digest of it in front; the one written before is kept."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        state = {
            "data": self.data,
            "device": next(model.parameters()).device.type,
            "position": vars(position),
            "model": model.state_dict(),
            "optimizer": optimizer.state_dict(),
        }
        content = io.BytesIO()
        torch.save(state, content)
        handle, name = tempfile.mkstemp(prefix=f".{self.path.name}-", dir=self.path.parent)
        try:
            with open(handle, "wb") as file:
                file.write(hashlib.sha256(content.getbuffer()).digest())
                file.write(content.getbuffer())
                file.flush()
                os.fsync(file.fileno())
            with suppress(FileNotFoundError):
                self.path.replace(self.before)
            os.replace(name, self.path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    def restore(self, model: nn.Module, optimizer: torch.optim.Optimizer, device: torch.device) -> Position:
        """Load the last state that is whole; returns where it was. Nothing but tensors is unpickled.

        A file that is damaged is removed, and said so in the log: the one before counts, or the training starts over.
        """
        for cut_off in self.path.parent.glob(f".{self.path.name}-*"):
            cut_off.unlink()
        for path in (self.path, self.before):
            state = self._read(path, device)
            if state is not None:
                model.load_state_dict(state["model"])
                optimizer.load_state_dict(state["optimizer"])
                return Position(**state["position"])
        return Position()

    def _read(self, path: Path, device: torch.device) -> dict | None:
        if not path.exists():
            return None
        content = path.read_bytes()
        if hashlib.sha256(content[DIGEST:]).digest() != content[:DIGEST]:
            logger.warning("%s: damaged checkpoint (its digest is wrong), removed", path)
            path.unlink()
            return None
        state = torch.load(io.BytesIO(content[DIGEST:]), map_location=device, weights_only=True)
        if state["data"] != self.data:
            logger.warning("%s: a checkpoint of other images, passed over", path)
            return None
        if state["position"]["steps"] and state["device"] != device.type:  # whose random numbers are others
            logger.warning("%s: in the middle of an epoch on another kind of device, passed over", path)
            return None
        return state

    def discard(self) -> None:
        """Remove the files, once the model is safe elsewhere."""
        for path in (self.path, self.before):
            path.unlink(missing_ok=True)  # the folder stays: another training may be about to write into it


# ---------------------------------------------------------------- the loop


class Trainer:
    """One target model in training.

    Every random number comes from the seed, the epoch and a purpose, so a training that resumes after any epoch draws what
    it would have drawn anyway, and ends with the same weights.

    Args:
        spec: `architecture`, `method` (`class`, `settings`), `training` and `seed`, as `robustmia.plan` lays them out.
        records: all records of the data set.
        split: which of them are members.
        checkpoint: the file that keeps the state between epochs.
        device: where everything happens.
        name: what the progress bar calls this training.
    """

    models = 1
    """How many models the loss is a mean over."""

    def __init__(
        self,
        spec: dict,
        records: Records,
        split: Split,
        checkpoint: Path,
        device: torch.device,
        name: str = "train",
    ):
        self.seed: int = spec["seed"]
        self.settings: TrainingSettings = TypeAdapter(TrainingSettings).validate_python(spec["training"])
        self.method: Method = resolve_name(spec["method"]["class"])(**spec["method"]["settings"])
        self.device, self.name = device, name
        self.images, self.labels = to_device(records, split.members, device)
        members = records.images[split.members].tobytes() + records.labels[split.members].tobytes()
        self.checkpoint = Checkpoint(checkpoint, hashlib.sha256(members).hexdigest())
        self.watched = self._watched(records, split, self.settings.monitor)
        network_seed = derive_seed(self.seed, "weights")
        self.model = build_network(
            spec["architecture"], records.image_shape, len(records.class_names), network_seed
        ).to(device)
        self.optimizer = build_optimizer(self.model, self.settings)
        self.steps_per_epoch = -(-len(self.labels) // self.settings.batch_size)

    def run(self) -> tuple[nn.Module, pd.DataFrame]:
        """Train from the checkpoint, or from the start, to the end.

        Returns:
            The model in evaluation mode, and its history: a row per epoch with the learning rate of its last step, the
            mean loss, the accuracies on the clean and on the adversarial images that the method trained on and the part that its
            bounds verified (empty where it saw none), and those of the monitor.

        Raises:
            UserError: the loss is not finite, or SIGTERM or SIGINT asked for the end: then the state is kept first.
        """
        at = self.checkpoint.restore(self.model, self.optimizer, self.device)
        if at.epoch or at.steps:
            logger.info("resuming after %s", self._where(at))
        epochs = self.settings.epochs
        with (
            stop_requests() as requests,
            tqdm(
                total=epochs * len(self.labels),
                initial=at.epoch * len(self.labels) + at.steps * self.settings.batch_size * self.models,
                desc=self.name,
                unit="image",
                unit_scale=True,
                disable=None,
                dynamic_ncols=True,
            ) as bar,
        ):
            while at.epoch < epochs:
                started, before = perf_counter(), at.steps
                row = {"epoch": at.epoch + 1, **self._epoch(at, bar, requests), **self._monitor(at.epoch)}
                at = Position(at.epoch + 1, [*at.history, row])
                bar.set_postfix_str(_in_words(at.history))
                images = len(self.labels) * (1 - before / self.steps_per_epoch)
                rate = images / (perf_counter() - started)
                logger.info("epoch %d/%d  %s  %.0f images/s", at.epoch, epochs, _in_words(at.history), rate)
                self.checkpoint.save(at, self.model, self.optimizer)
        return self.model.eval(), pd.DataFrame(at.history)

    def _epoch(self, at: Position, bar: tqdm, requests: list[str]) -> dict[str, float | None]:
        """The rest of a pass over the members. Sums stay on the device until its end, so that no step waits for the host."""
        self.model.train()
        at.hits = at.hits or {kind: torch.zeros(2, device=self.device) for kind in SEEN}
        for images, labels, generator in self.steps(at.epoch, at.steps, at.generators):
            progress = Progress(at.epoch + at.steps / self.steps_per_epoch, self.settings.epochs)
            step = self.method.loss(self.model, images, labels, progress, generator)
            at.learning_rate = self._descend(step, progress)
            at.losses.append(step.loss.detach())
            for kind in SEEN:
                at.hits[kind] += _hits(getattr(step, kind))
            at.steps += 1
            bar.update(len(labels))
            if at.steps % SHOWN_EVERY == 0:
                bar.set_postfix_str(_in_words([_row(at)]))
            if requests:
                self._stop(at, generator, requests[0])
        self._require_finite(torch.stack(at.losses), at.epoch)
        return _row(at)

    def _stop(self, at: Position, generator: Generators, request: str) -> NoReturn:
        """Keep the state in the middle of an epoch, and end."""
        generators = [generator] if isinstance(generator, torch.Generator) else generator
        at.generators = [one.get_state() for one in generators]
        self.checkpoint.save(at, self.model, self.optimizer)
        raise UserError(f"stopped by {request} after {self._where(at)}; the same command goes on from there")

    def _where(self, at: Position) -> str:
        return f"epoch {at.epoch} of {self.settings.epochs}" + (
            f" and step {at.steps} of {self.steps_per_epoch}" if at.steps else ""
        )

    def steps(self, epoch: int, done: int, states: Sequence[Tensor]) -> Iterator[tuple[Tensor, Tensor, Generators]]:
        """Images [B, C, H, W] and labels [B] of each step of an epoch, and where its random numbers come from.

        Args:
            done: steps that are left out, being done.
            states: of the generator after them; none at the start.
        """
        generator = generator_for(self.device, self.seed, "epoch", epoch)
        if done:
            generator.set_state(states[0].cpu())
        for rows in islice(self._batches(epoch), done, None):
            yield (
                augment(to_pixels(self.images[rows]), self.settings.augmentation, generator),
                self.labels[rows],
                generator,
            )

    def _batches(self, epoch: int) -> Iterator[Tensor]:
        order = torch.randperm(
            len(self.labels), generator=generator_for(self.device, self.seed, "order", epoch), device=self.device
        )
        return iter(order.split(self.settings.batch_size))

    def _descend(self, step: Step, progress: Progress) -> float:
        factor = schedule_factor(self.settings.schedule, progress.epoch, progress.epochs)
        learning_rate = factor * self.settings.optimizer.learning_rate
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        self.optimizer.zero_grad(set_to_none=True)
        (step.loss * self.models).backward()
        if self.settings.gradient_clip is not None:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.settings.gradient_clip)
        self.optimizer.step()
        return learning_rate

    def _require_finite(self, losses: Tensor, epoch: int) -> None:
        weights_are_finite = torch.stack([value.isfinite().all() for value in self.model.state_dict().values()]).all()
        bad = torch.nonzero(~losses.isfinite())
        if len(bad) or not weights_are_finite:
            batch = int(bad[0]) if len(bad) else len(losses) - 1
            raise UserError(
                f"{self.name}: the loss became {losses[batch].item() if len(bad) else 'infinite'} in epoch {epoch + 1}, batch {batch + 1} of "
                f"{len(losses)}; lower training.optimizer.learning_rate ({self.settings.optimizer.learning_rate}) or set "
                f"training.gradient_clip ({self.settings.gradient_clip or 'empty'})"
            )

    # ------------------------------------------------------------ the monitor

    def _watched(
        self, records: Records, split: Split, monitor: MonitorSettings | None
    ) -> dict[str, tuple[Tensor, Tensor]]:
        if monitor is None:
            return {}
        sides = {"member": split.members, "nonmember": split.nonmembers}
        return {side: to_device(records, rows[: monitor.records], self.device) for side, rows in sides.items()}

    def _monitor(self, epoch: int) -> dict[str, float | None]:
        """Accuracies of members and non-members, every few epochs; empty in between."""
        row: dict[str, float | None] = dict.fromkeys(MONITOR_COLUMNS)
        monitor = self.settings.monitor
        if monitor is None or ((epoch + 1) % monitor.every and epoch + 1 < self.settings.epochs):
            return row
        for side, (images, labels) in self.watched.items():
            hits = {kind: torch.zeros(2, device=self.device) for kind in ("clean", "adversarial")}
            for some, theirs in zip(images.split(WATCHED_AT_ONCE), labels.split(WATCHED_AT_ONCE), strict=True):
                pixels = to_pixels(some)
                adversarial = pgd(
                    self.model,
                    pixels,
                    cross_entropy_loss(theirs),
                    Ball(monitor.norm, monitor.epsilon),
                    steps=monitor.steps,
                    step_size=monitor.resolved_step_size,
                    start="clean",
                )
                hits["clean"] += _hits((predict(self.model, pixels), theirs))
                hits["adversarial"] += _hits((predict(self.model, adversarial), theirs))
            row |= {f"{side}_{kind}": _ratio(hits[kind]) for kind in hits}
        return row


def _row(at: Position) -> dict[str, float | None]:
    row = {"learning_rate": at.learning_rate, "loss": torch.stack(at.losses).double().mean().item()}
    return row | {f"{kind}_accuracy": _ratio(at.hits[kind]) for kind in SEEN}


@contextmanager
def stop_requests() -> Iterator[list[str]]:
    """Collect SIGTERM and SIGINT, which otherwise end a process in the middle of a step, for as long as the block lasts."""
    requests: list[str] = []
    if threading.current_thread() is not threading.main_thread():  # which alone may ask for signals
        yield requests
        return
    before = {
        number: signal.signal(number, lambda which, _: requests.append(signal.Signals(which).name))
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield requests
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _ratio(hits: Tensor) -> float | None:
    correct, seen = hits.tolist()
    return correct / seen if seen else None


def _in_words(history: list[dict]) -> str:
    """Loss and accuracies of the last epoch; an accuracy that the method does not see is the monitor's latest."""
    words = [f"loss {history[-1]['loss']:.4f}"]
    for kind in SEEN:
        values = (row.get(column) for row in reversed(history) for column in (f"{kind}_accuracy", f"member_{kind}"))
        latest = next((value for value in values if value is not None), None)
        words += [f"{kind} {latest:.3f}"] if latest is not None else []
    return "  ".join(words)
