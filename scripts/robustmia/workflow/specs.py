"""What each job is given: its spec, a nested dict of plain values that decides its result."""

from __future__ import annotations

from typing import Any

from robustmia.config.registry import COLUMNS, STRATEGIES
from robustmia.config.schema import Config
from robustmia.inference.settings import AttackSettings
from robustmia.settings import chosen
from robustmia.signals.base import Signal
from robustmia.workflow.code_digest import code_digest, digest
from robustmia.workflow.paths import Paths
from robustmia.workflow.targets import Targets

Spec = dict[str, Any]


class Specs:
    """The specs of every job of one configuration. Each method is named after the rule that it is for."""

    def __init__(self, config: Config, targets: Targets, paths: Paths):
        self.config, self.targets, self.paths = config, targets, paths

    # ------------------------------------------------------------ data and models

    def fetch(self, dataset: str) -> Spec:
        return {"dataset": dataset, "source": chosen(self.config.datasets[dataset].source)}

    def split(self, dataset: str, seed: str) -> Spec:
        settings = self.config.datasets[dataset].split.model_dump(mode="json")
        return {"dataset": dataset, "split": settings, "seed": int(seed)}

    def identity(self, dataset: str, run: str, seed: str) -> Spec:
        """The columns that name a target model in every table."""
        method = self.config.datasets[dataset].runs[run].method.name
        return {"dataset": dataset, "run": run, "method": method, "seed": int(seed)}

    def train(self, dataset: str, run: str, seed: str) -> Spec:
        settings = self.config.datasets[dataset]
        run_settings = settings.runs[run]
        return {
            "dataset": self.fetch(dataset),
            "split": self.split(dataset, seed)["split"],
            "run": run,
            "architecture": self._architecture(dataset, run),
            "engine": settings.engine.model_dump(mode="json"),
            "method": chosen(run_settings.method),
            "training": (run_settings.training or settings.training).as_spec(),
            "seed": int(seed),
        }

    def checkpoint(self, dataset: str, run: str, seed: str) -> str:
        """The file that keeps the state of a training, one for each spec and code."""
        spec = self.train(dataset, run, seed)
        return self.paths.checkpoint(f"{dataset}-{run}-seed{seed}", digest(spec, code_digest("train", spec)))

    def _architecture(self, dataset: str, run: str) -> Spec:
        settings = self.config.datasets[dataset]
        return chosen(settings.runs[run].architecture or settings.architecture)

    # ------------------------------------------------------------ signals

    def signals(self, dataset: str, run: str, seed: str, signals: str) -> Spec:
        settings, names = self.config.datasets[dataset], signals.split("+")
        spec = {
            "architecture": self._architecture(dataset, run),
            "engine": settings.engine.model_dump(mode="json"),
            "signals": {name: chosen(settings.signals[name]) for name in names},
            "seed": int(seed),
        }
        own_verifier = settings.runs[run].method.verifier
        return spec | {"own_verifier": own_verifier} if own_verifier and "verified" in names else spec

    def quotes(self, dataset: str, *names: str) -> dict[str, str]:
        """The settings of some signals in words, for notes and captions; those that the data set lacks are left out."""
        signals = self.config.datasets[dataset].signals
        return {name: signals[name].in_words() for name in names if name in signals}

    # ------------------------------------------------------------ shadow models

    def shadow_train(self, dataset: str, run: str, seed: str, batch: str) -> Spec:
        """What the target's training has, but for the monitor, which decides nothing."""
        spec = self.train(dataset, run, seed) | self._shadow_splits(dataset)
        spec["training"] |= {"monitor": None}
        train_batched = self.config.datasets[dataset].resources.train_batched
        return spec | {"models": self.targets.shadow_jobs(dataset)[int(batch)], "train_batched": train_batched}

    def _shadow_splits(self, dataset: str) -> Spec:
        """What decides the records that shadow models are trained on; their number only where it may keep them from the target's."""
        split = self.config.datasets[dataset].split
        spec = {"split": split.model_dump(mode="json")}
        halves = (
            split.member_fraction == 0.5 and split.max_members is None
        )  # which any number of models can be trained on
        return spec if halves else spec | {"shadow_models": self.config.shadow_models}

    def shadow_checkpoint(self, dataset: str, run: str, seed: str, batch: str) -> str:
        """What the names of the checkpoints of a job's shadow models begin with: the same for each spec and code, whatever the job."""
        spec = self.shadow_train(dataset, run, seed, batch)
        del spec["models"], spec["train_batched"]
        return self.paths.checkpoint(
            f"{dataset}-{run}-seed{seed}-shadow", digest(spec, code_digest("shadow_train", spec))
        )

    def shadow_signals(self, dataset: str, run: str, seed: str, batch: str, signals: str) -> Spec:
        spec = self.signals(dataset, run, seed, signals) | self._shadow_splits(dataset)
        return spec | {"models": self.targets.shadow_jobs(dataset)[int(batch)]}

    # ------------------------------------------------------------ inference

    def infer(self, dataset: str, run: str, seed: str) -> Spec:
        settings = self.config.datasets[dataset]
        return {
            "identity": self.identity(dataset, run, seed),
            "signals": self.targets.signals(dataset),
            "shadow_models": self.config.shadow_models,
            "own_verifier": settings.runs[run].method.verifier,
            "in_verified_ball": _in_verified_ball(settings.signals),
            **_inference(settings.attacks),
        }

    def conclusions(self, dataset: str) -> Spec:
        """The runs of a data set, their methods, and the seeds, in order."""
        runs = self.config.datasets[dataset].runs
        return {
            "dataset": dataset,
            "methods": {run: runs[run].method.name for run in self.targets.runs(dataset)},
            "seeds": list(self.config.seeds),
            "natural": self.targets.natural(dataset),
        }

    # ------------------------------------------------------------ tables and figures

    def paper_table(self, dataset: str) -> Spec:
        return {"quotes": self.quotes(dataset, "adversarial", "verified")}

    def figure(self, dataset: str, figure: str) -> Spec:
        settings = getattr(self.config.figures, figure)
        return {
            "figure": chosen(settings),
            "runs": self.targets.runs(dataset),
            "quotes": self.quotes(dataset, *settings.quotes),
            "shadow_models": self.config.shadow_models,
        }

    # ------------------------------------------------------------ audits

    def audit(self, audit: str) -> Spec:
        settings = self.config.audits[audit]
        is_checkpoint = audit in self.targets.checkpoint_audits
        plain = self.targets.checkpoint_audit(audit).as_spec() if is_checkpoint else settings.model_dump(mode="json")
        return {"audit": audit, "settings": plain}

    def audit_fetch(self, audit: str) -> Spec:
        return {"source": chosen(self.targets.checkpoint_audit(audit).dataset)}

    def audit_infer(self, audit: str) -> Spec:
        is_checkpoint = audit in self.targets.checkpoint_audits
        settings = self.targets.checkpoint_audit(audit) if is_checkpoint else None
        dataset = settings.dataset.name if settings else None
        return self.audit(audit) | {
            "identity": {"dataset": dataset, "run": audit, "method": "audited", "seed": None},
            "in_verified_ball": _in_verified_ball(settings.signals) if settings else [],
            **_inference(AttackSettings()),
        }


def _inference(attacks: AttackSettings) -> Spec:
    """The lists of what inference runs and writes, so that the job needs no registry."""
    return {
        "strategies": list(STRATEGIES.values()),
        "columns": list(COLUMNS.values()),
        "attacks": attacks.model_dump(mode="json"),
    }


def _in_verified_ball(signals: dict[str, Signal]) -> list[str]:
    """The signals whose images all lie in the ball of the verified one, so that inference can check the bounds against them."""
    verified = signals.get("verified")
    epsilon = getattr(verified, "epsilon", None)
    return [name for name, signal in signals.items() if epsilon is not None and signal.stays_within(epsilon)]
