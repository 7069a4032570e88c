"""The one training loop: batches, schedule, augmentation, progress, checkpoint and resume, whatever the method."""

from __future__ import annotations

import hashlib
import logging
import math
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from pkgutil import resolve_name
from time import perf_counter

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
from robustmia.errors import UserError, in_one_line
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


class Checkpoint:
    """The state after the last whole epoch, in one file that is replaced at once or not at all.

    Args:
        path: the file; its name tells spec and code apart.
        data: a digest of what is trained on; a state of other data is not restored.
    """

    def __init__(self, path: Path, data: str = ""):
        self.path, self.data = path, data

    def save(self, epoch: int, model: nn.Module, optimizer: torch.optim.Optimizer, history: list[dict]) -> None:
        """Write the state after `epoch` epochs."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_suffix(".tmp")
        state = {
            "data": self.data,
            "epoch": epoch,
            "model": model.state_dict(),
            "optimizer": optimizer.state_dict(),
            "history": history,
        }
        try:
            with temporary.open("wb") as file:
                torch.save(state, file)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self.path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise

    def restore(
        self, model: nn.Module, optimizer: torch.optim.Optimizer, device: torch.device
    ) -> tuple[int, list[dict]]:
        """Load the state, if there is one; returns the epochs done and their history. Nothing but tensors is unpickled."""
        if not self.path.exists():
            return 0, []
        try:
            state = torch.load(self.path, map_location=device, weights_only=True)
            if state["data"] != self.data:
                logger.warning("%s is of other images; training starts over", self.path)
                return 0, []
            model.load_state_dict(state["model"])
            optimizer.load_state_dict(state["optimizer"])
            return state["epoch"], state["history"]
        except Exception as error:  # a damaged file fails in many ways, and starting over mends them all
            raise UserError(
                f"{self.path}: damaged checkpoint ({in_one_line(error)}); delete it to start over"
            ) from error

    def discard(self) -> None:
        """Remove the file, once the model is safe elsewhere."""
        self.path.unlink(missing_ok=True)
        with suppress(OSError):  # the folder may hold the checkpoints of others
            self.path.parent.rmdir()


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
            UserError: the loss is not finite, or the checkpoint is damaged.
        """
        done, history = self.checkpoint.restore(self.model, self.optimizer, self.device)
        if done:
            logger.info("resuming after epoch %d of %d", done, self.settings.epochs)
        epochs = self.settings.epochs
        with tqdm(
            total=epochs * len(self.labels),
            initial=done * len(self.labels),
            desc=self.name,
            unit="image",
            unit_scale=True,
            disable=None,
            dynamic_ncols=True,
        ) as bar:
            for epoch in range(done, epochs):
                started = perf_counter()
                row = {"epoch": epoch + 1, **self._epoch(epoch, bar), **self._monitor(epoch)}
                history.append(row)
                bar.set_postfix_str(_in_words(history))
                rate = len(self.labels) / (perf_counter() - started)
                logger.info("epoch %d/%d  %s  %.0f images/s", epoch + 1, epochs, _in_words(history), rate)
                self.checkpoint.save(epoch + 1, self.model, self.optimizer, history)
        return self.model.eval(), pd.DataFrame(history)

    def _epoch(self, epoch: int, bar: tqdm) -> dict[str, float | None]:
        """One pass over the members. Sums stay on the device until its end, so that no step waits for the host."""
        self.model.train()
        losses, learning_rate = [], 0.0
        hits = {kind: torch.zeros(2, device=self.device) for kind in SEEN}
        for batch, (images, labels, generator) in enumerate(self.steps(epoch)):
            progress = Progress(epoch + batch / self.steps_per_epoch, self.settings.epochs)
            step = self.method.loss(self.model, images, labels, progress, generator)
            learning_rate = self._descend(step, progress)
            losses.append(step.loss.detach())
            for kind in SEEN:
                hits[kind] += _hits(getattr(step, kind))
            bar.update(len(labels))
            if batch % SHOWN_EVERY == SHOWN_EVERY - 1:
                bar.set_postfix_str(_in_words([_row(learning_rate, losses, hits)]))
        self._require_finite(torch.stack(losses), epoch)
        return _row(learning_rate, losses, hits)

    def steps(self, epoch: int) -> Iterator[tuple[Tensor, Tensor, Generators]]:
        """Images [B, C, H, W] and labels [B] of each step of an epoch, and where its random numbers come from."""
        generator = generator_for(self.device, self.seed, "epoch", epoch)
        for rows in self._batches(epoch):
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


def _row(learning_rate: float, losses: list[Tensor], hits: dict[str, Tensor]) -> dict[str, float | None]:
    row = {"learning_rate": learning_rate, "loss": torch.stack(losses).double().mean().item()}
    return row | {f"{kind}_accuracy": _ratio(hits[kind]) for kind in SEEN}


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
