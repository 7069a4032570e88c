"""The one training loop: batches, schedule, history, checkpoint and resume, whatever the method."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import NoReturn, Protocol

import pandas as pd
import torch
from torch import Tensor, nn

from robustmia.data.records import Records
from robustmia.data.split import Split, held_out_pool
from robustmia.errors import UserError
from robustmia.methods.base import Method, Progress, Step
from robustmia.models.device import Generators, derive_seed, seeded_by
from robustmia.models.engine import Engine, fast_arithmetic
from robustmia.models.ensemble import clip_gradients
from robustmia.models.networks.base import build_network
from robustmia.progress import report_progress
from robustmia.settings import instantiate
from robustmia.training.batches import Batch, Batches, MemberBatches
from robustmia.training.checkpoint import Checkpoint, Position
from robustmia.training.monitor import COLUMNS, EarlyStopping, Monitor, accuracy, count_correct
from robustmia.training.privacy import private_gradients, require_private, require_small_delta, spent_epsilon
from robustmia.training.settings import TrainingSettings

logger = logging.getLogger(__name__)

KINDS = ("clean", "adversarial", "verified")  # what a method may show of a step


class StateKeeper(Protocol):
    """What keeps the state of a training: a `Checkpoint`, or one for each of several models."""

    def save(self, position: Position, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        """Keep the state."""

    def restore(self, model: nn.Module, optimizer: torch.optim.Optimizer, device: torch.device) -> Position:
        """Load the last state; returns where it was, or the start."""

    def discard(self) -> None:
        """Remove it, once the model is safe elsewhere."""


class Trainer:
    """One model in training, or several that share every step (see `training/ensemble.py`).

    Args:
        model: the network, on its device.
        method: gives the loss of a batch.
        settings: epochs, optimiser, schedule and so on.
        batches: where batches come from.
        checkpoint: keeps the state between epochs.
        name: of the model, for messages.
        monitor: evaluates the model every few epochs; None: nothing does.
        early_stopping: chooses the epoch whose weights are kept; None: the last one's are.
    """

    def __init__(
        self,
        model: nn.Module,
        method: Method,
        settings: TrainingSettings,
        batches: Batches,
        checkpoint: StateKeeper,
        name: str,
        monitor: Monitor | None = None,
        early_stopping: EarlyStopping | None = None,
    ):
        self.model, self.method, self.settings, self.batches = model, method, settings, batches
        self.name, self.monitor, self.early_stopping = name, monitor, early_stopping
        self.checkpoint = checkpoint
        self.optimizer = settings.optimizer.build(model.parameters())
        self.device = next(model.parameters()).device
        self.has_dropout = any(isinstance(layer, nn.Dropout) and layer.p for layer in model.modules())
        if settings.privacy is not None:
            require_private(model)

    @property
    def can_join(self) -> bool:
        """Whether it may be a part of an ensemble: nothing but the loss of each model is its own."""
        alone = self.has_dropout or self.settings.early_stopping or self.settings.privacy
        return self.method.batchable and not alone

    @classmethod
    def of_spec(
        cls,
        spec: dict,
        records: Records,
        split: Split,
        checkpoint: Path,
        device: torch.device,
        name: str,
    ) -> Trainer:
        """The training of one model.

        Args:
            spec: `architecture`, `engine` (empty: its defaults), `method`, `training` and `seed`, as `robustmia.workflow.specs` lays them out.
            records: all records of the data set.
            split: which of them are members.
            checkpoint: the file that keeps the state between epochs.
            device: where everything happens.
            name: as above.

        Raises:
            UserError: too few records are neither members nor non-members for early stopping; delta is too large for the number of members; or the network cannot be trained privately and shall be.
        """
        settings, seed = TrainingSettings(**spec["training"]), spec["seed"]
        if settings.privacy is not None:
            require_small_delta(settings.privacy, len(split.members))
        shape, classes = records.image_shape, len(records.class_names)
        network = build_network(instantiate(spec["architecture"]), shape, classes, derive_seed(seed, "weights"))
        images = settings.epochs * len(split.members)
        model = Engine(**spec.get("engine", {})).place(network, device, shape, images)
        batches = MemberBatches(records, split, settings, device, seed)
        monitor = Monitor(settings.monitor, records, split, device) if settings.monitor else None
        keeper = Checkpoint(checkpoint, batches.digest)
        chosen_by, early_stopping = settings.early_stopping, None
        if chosen_by is not None:
            pool = held_out_pool(records, split, spec.get("split", {}).get("classes"))
            early_stopping = EarlyStopping(chosen_by, records, pool, device)
        return cls(model, instantiate(spec["method"]), settings, batches, keeper, name, monitor, early_stopping)

    def run(self) -> tuple[nn.Module, pd.DataFrame]:
        """Train from the checkpoint, or from the start, to the end.

        Returns:
            The model in evaluation mode, and its history: a row per epoch with the learning rate of its last step, the
            mean loss, the accuracies on the clean and on the adversarial images that the method trained on and the part that its
            bounds verified (empty where there were none), those of the monitor, and of private training the epsilon spent.

        Raises:
            UserError: the loss is not finite, or SIGTERM or SIGINT asked for the end: then the state is kept first.
        """
        at = self.checkpoint.restore(self.model, self.optimizer, self.device)
        if at.epoch or at.steps:
            logger.info("resuming after %s", self._where(at))
        last = self.settings.last_epoch
        with stop_requests() as requests:
            while at.epoch < last:
                row = {"epoch": at.epoch + 1, **self._epoch(at, requests), **dict.fromkeys(COLUMNS)}
                if self.monitor is not None:
                    row |= self.monitor.evaluate(self.model, at.epoch, self.settings.epochs)
                if self.early_stopping is not None:
                    at.best = self.early_stopping.better(self.model, at.epoch, self.settings.epochs, at.best)
                at = Position(at.epoch + 1, [*at.history, row], best=at.best)
                self.checkpoint.save(at, self.model, self.optimizer)
        if at.best:
            logger.info(
                "epoch %d of %d is kept: adversarial accuracy %.3f", at.best["epoch"], last, at.best["accuracy"]
            )
            self.model.load_state_dict(at.best["weights"])
        return self.model.eval(), pd.DataFrame(at.history)

    def _epoch(self, at: Position, requests: list[str]) -> dict[str, float | None]:
        """The rest of an epoch. Sums stay on the device until its end, so that no step waits for the host."""
        self.model.train()
        at.counts = at.counts or {kind: torch.zeros(2, device=self.device) for kind in KINDS}
        for batch in self.batches.epoch(at.epoch, at.steps, at.generators):
            progress = Progress(at.epoch + at.steps / self.batches.steps, self.settings.epochs)
            step, at.learning_rate = self.step(batch, progress)
            # A step of private training may have drawn no image: it has no loss, and takes a step of noise.
            at.losses.append(step.loss.detach() if len(batch.labels) else torch.zeros((), device=self.device))
            for kind in KINDS:
                at.counts[kind] += count_correct(getattr(step, kind))
            at.steps += 1
            self._report(at)
            if requests:
                self._stop(at, batch.generator, requests[0])
        self._require_finite(torch.stack(at.losses), at.epoch)
        return _row(at) | self._spent(at.epoch + 1)

    def step(self, batch: Batch, progress: Progress) -> tuple[Step, float]:
        """One step on a batch: what the method says of it, and the learning rate."""
        with seeded_by(batch.generator) if self.has_dropout else nullcontext():
            with fast_arithmetic(self.model):
                step = self.method.loss(self.model, batch.images, batch.labels, progress, batch.generator)
            if not isinstance(step, Step):
                raise UserError(
                    f"method {self.method.name}: loss returned {type(step).__name__}, and has to return a Step"
                )
            return step, self._descend(step, progress, batch.generator)

    def _spent(self, epochs: int) -> dict[str, float | None]:
        """What private training has spent after so many epochs; empty without it."""
        settings = self.settings.privacy
        if settings is None:
            return {}
        assert isinstance(self.batches, MemberBatches)
        return {"privacy_epsilon": spent_epsilon(settings, self.batches.probability, epochs * self.batches.steps)}

    def _descend(self, step: Step, progress: Progress, generator: Generators) -> float:
        factor = self.settings.schedule.factor(progress.epoch, progress.epochs)
        learning_rate = factor * self.settings.optimizer.learning_rate
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        self.optimizer.zero_grad(set_to_none=True)
        if self.settings.privacy is not None:
            assert step.trained_on is not None
            assert isinstance(generator, torch.Generator)
            assert isinstance(self.batches, MemberBatches)
            private_gradients(self.model, *step.trained_on, self.settings.privacy, self.batches.expected, generator)
        else:
            (step.loss * self.batches.models).backward()  # the loss is a mean over the images of all models
        if self.settings.gradient_clip is not None:
            clip_gradients(self.model, self.settings.gradient_clip)
        self.optimizer.step()
        return learning_rate

    def _report(self, at: Position) -> None:
        done = at.epoch * self.batches.steps + at.steps
        total = self.settings.last_epoch * self.batches.steps
        report_progress(f"training {self.name}", done, total, "steps", lambda: _summary([*at.history, _row(at)]))

    def _stop(self, at: Position, generator: Generators, request: str) -> NoReturn:
        """Keep the state in the middle of an epoch, and end."""
        generators = [generator] if isinstance(generator, torch.Generator) else generator
        at.generators = [one.get_state() for one in generators]
        self.checkpoint.save(at, self.model, self.optimizer)
        raise UserError(f"stopped by {request} after {self._where(at)}; the same command goes on from there")

    def _where(self, at: Position) -> str:
        return f"epoch {at.epoch} of {self.settings.last_epoch}" + (
            f" and step {at.steps} of {self.batches.steps}" if at.steps else ""
        )

    def _require_finite(self, losses: Tensor, epoch: int) -> None:
        weights_are_finite = torch.stack([value.isfinite().all() for value in self.model.state_dict().values()]).all()
        bad = torch.nonzero(~losses.isfinite())
        if not len(bad) and weights_are_finite:
            return
        batch = int(bad[0]) if len(bad) else len(losses) - 1
        seen = f"the loss became {losses[batch].item()}" if len(bad) else "weights became infinite"
        where = f"in epoch {epoch + 1}, batch {batch + 1} of {len(losses)}"
        if not epoch and not batch and len(bad):
            reason = f"before any step, so that it is not the learning rate; look at input_std of the architecture and at {self._numbers('method')}"
        else:
            clip = self.settings.gradient_clip or "empty"
            reason = (
                f"lower training.optimizer.learning_rate or set training.gradient_clip ({clip}); else look at input_std of the "
                f"architecture, at {self._numbers('method')} and at {self._numbers('optimizer')}"
            )
        raise UserError(f"{self.name}: {seen} {where}: {reason}")

    def _numbers(self, group: str) -> str:
        """The numeric settings of the method or the optimiser, with their values."""
        settings = self.method if group == "method" else self.settings.optimizer
        place = "method" if group == "method" else "training.optimizer"
        numbers = {
            key: value
            for key, value in vars(settings).items()
            if isinstance(value, int | float) and not isinstance(value, bool)
        }
        return ", ".join(f"{place}.{key} ({value:g})" for key, value in numbers.items()) or f"{place}"


def _row(at: Position) -> dict[str, float | None]:
    row = {"learning_rate": at.learning_rate, "loss": torch.stack(at.losses).double().mean().item()}
    return row | {f"{kind}_accuracy": accuracy(at.counts[kind]) for kind in KINDS}


def _summary(history: list[dict]) -> str:
    """Loss and accuracies of the last row; for an accuracy that the method does not see, the monitor's latest."""
    words = [f"loss {history[-1]['loss']:.4f}"]
    for kind in KINDS:
        values = (row.get(column) for row in reversed(history) for column in (f"{kind}_accuracy", f"member_{kind}"))
        latest = next((value for value in values if value is not None), None)
        words += [f"{kind} accuracy {latest:.3f}"] if latest is not None else []
    return ", ".join(words)


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
