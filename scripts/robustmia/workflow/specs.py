"""What each job is given: its spec, a nested dict of plain values that decides its result."""

from __future__ import annotations

from typing import Any

from robustmia.inference.settings import AttackSettings
from robustmia.settings import chosen
from robustmia.workflow.code_digest import code_digest, digest
from robustmia.workflow.targets import Targets
from robustmia.workflow.variants import Variant, in_verified_ball, inference

Spec = dict[str, Any]
AUDIT_FIGURES = ("roc", "loss_distribution", "margin_distribution")


class Specs:
    """The specs of every job of one configuration. Methods are named after the rules that they are for, or the first of several."""

    def __init__(self, targets: Targets):
        self.targets, self.config, self.paths = targets, targets.config, targets.paths

    # ------------------------------------------------------------ data and models

    def fetch(self, dataset: str) -> Spec:
        return {"dataset": dataset, **self._variant(dataset).fetch()}

    def split(self, dataset: str, seed: str) -> Spec:
        return {"dataset": dataset, **self._variant(dataset).split(), "seed": int(seed)}

    def identity(self, dataset: str, run: str, seed: str) -> Spec:
        """The columns that name a target model in every table."""
        method = self._variant(dataset, run).method.name
        return {"dataset": dataset, "run": run, "method": method, "seed": int(seed)}

    def train(self, dataset: str, run: str, seed: str) -> Spec:
        return {**self._variant(dataset, run).train(), "seed": int(seed)}

    def checkpoint(self, dataset: str, run: str, seed: str) -> str:
        """The file that keeps the state of a training, one for each spec and code; those that end sooner differ in the name's end."""
        spec, variant = self.train(dataset, run, seed), self._variant(dataset, run)
        ends = spec["training"].pop("stop_after")
        name = f"{variant.dataset}-{variant.run}-seed{seed}"
        return self.paths.checkpoint(name, digest(spec, code_digest("train", spec)), ends)

    # ------------------------------------------------------------ signals

    def signals(self, dataset: str, run: str, seed: str, signals: str) -> Spec:
        return {**self._variant(dataset, run).signal_settings(signals.split("+")), "seed": int(seed)}

    def quotes(self, dataset: str, *names: str) -> dict[str, str]:
        """The settings of some signals in words, for notes and captions; those that the data set lacks are left out."""
        signals = self.config.datasets[dataset].signals
        return {name: signals[name].in_words() for name in names if name in signals}

    # ------------------------------------------------------------ shadow models

    def shadow_train(self, dataset: str, run: str, seed: str, batch: str) -> Spec:
        variant = self._variant(dataset, run)
        models, together = variant.shadow_jobs[int(batch)], variant.settings.resources.train_batched
        return {**variant.shadow_train(), "seed": int(seed), "models": models, "train_batched": together}

    def shadow_checkpoint(self, dataset: str, run: str, seed: str, batch: str) -> str:
        """What the names of the checkpoints of a job's shadow models begin with: the same for each spec and code, whatever the job."""
        spec = self.shadow_train(dataset, run, seed, batch)
        del spec["models"], spec["train_batched"]
        return self.paths.checkpoint(
            f"{dataset}-{run}-seed{seed}-shadow", digest(spec, code_digest("shadow_train", spec))
        )

    def shadow_signals(self, dataset: str, run: str, seed: str, batch: str, signals: str) -> Spec:
        variant = self._variant(dataset, run)
        spec = self.signals(dataset, run, seed, signals) | variant.shadow_splits()
        return spec | {"models": variant.shadow_jobs[int(batch)]}

    # ------------------------------------------------------------ inference

    def infer(self, dataset: str, run: str, seed: str) -> Spec:
        return {"identity": self.identity(dataset, run, seed), **self._variant(dataset, run).infer()}

    def _variant(self, dataset: str, run: str | None = None) -> Variant:
        return self.targets.variants.find(dataset, run)

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

    def published_table(self, dataset: str) -> Spec:
        """What is compared with the paper's results, and what differs in how it was made."""
        source = self.config.datasets[dataset].source.name
        return {"source": source, "differences": self.targets.differences_from_paper(dataset)}

    def figure(self, dataset: str, figure: str) -> Spec:
        settings = getattr(self.config.figures, figure)
        return {
            "figure": chosen(settings),
            "runs": self.targets.runs(dataset),
            "quotes": self.quotes(dataset, *settings.quotes),
        }

    # ------------------------------------------------------------ audits

    def audit(self, audit: str) -> Spec:
        settings = self.config.audits[audit]
        is_checkpoint = audit in self.targets.checkpoint_audits
        plain = self.targets.checkpoint_audit(audit).as_spec() if is_checkpoint else settings.model_dump(mode="json")
        return {"audit": audit, "settings": plain}

    def audit_page(self, audit: str) -> Spec:
        """What is shown beside the results: the subject, the folder or file of its images, and how figures look."""
        is_checkpoint = audit in self.targets.checkpoint_audits
        path = getattr(self.targets.checkpoint_audit(audit).dataset, "path", None) if is_checkpoint else None
        figures = {name: chosen(getattr(self.config.figures, name)) for name in AUDIT_FIGURES}
        return {"subject": self.audit_infer(audit), "images": path and str(path), "figures": figures}

    def audit_fetch(self, audit: str) -> Spec:
        return {"source": chosen(self.targets.checkpoint_audit(audit).dataset)}

    def audit_infer(self, audit: str) -> Spec:
        is_checkpoint = audit in self.targets.checkpoint_audits
        settings = self.targets.checkpoint_audit(audit) if is_checkpoint else None
        dataset = settings.dataset.name if settings else None
        return self.audit(audit) | {
            "identity": {"dataset": dataset, "run": audit, "method": "audited", "seed": None},
            "in_verified_ball": in_verified_ball(settings.signals) if settings else [],
            **inference(AttackSettings()),
        }
