"""What each job is given: its spec, a nested dict of plain values that decides its result."""

from __future__ import annotations

from typing import Any

from robustmia.config.registry import STRATEGIES
from robustmia.inference.settings import AttackSettings
from robustmia.settings import chosen
from robustmia.studies.settings import OF_OUTPUTS, TRANSFERRED, Outputs, Sensitivity, Varied
from robustmia.workflow.code_digest import code_digest, digest
from robustmia.workflow.targets import Targets
from robustmia.workflow.variants import Variant, in_verified_ball, inference

Spec = dict[str, Any]


class Specs:
    """The specs of every job of one configuration. Each method is named after the rule that it is for."""

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

    def figure(self, dataset: str, figure: str) -> Spec:
        settings = getattr(self.config.figures, figure)
        return {
            "figure": chosen(settings),
            "runs": self.targets.runs(dataset),
            "quotes": self.quotes(dataset, *settings.quotes),
            "shadow_models": self.config.shadow_models,
        }

    # ------------------------------------------------------------ studies

    def sweep(self, study: str) -> Spec:
        """The runs at each point, and for each the numbers of its seeds' results, and of its history if it is private, in the study's lists.

        A run that a point with a name leaves as it is at an earlier one is not named again.
        """
        place = {file: number for number, file in enumerate(self.targets.study_results(study))}
        histories = self.targets.private_histories(study)
        keys = self.study_figure(study)["keys"]
        targets: list[Spec] = []
        files: list[Spec] = []
        for point, variants in zip(self.targets.points[study], self.targets.variants.of_studies[study], strict=True):
            for variant in variants:
                results = [place[file] for file in self.targets.files(self.paths.record_results, variant)]
                history = histories.index(self.targets.first_history(variant)) if variant.privacy else None
                private = variant.privacy and {"history": history, "delta": variant.privacy.delta}
                own: Spec = {"results": results, "private": private}
                if own in files and not keys:
                    continue
                named = {
                    "point": point.name or "as configured",
                    "values": point.plain_values if keys else {},
                    "run": variant.run,
                }
                targets.append(named | {"method": variant.method.name})
                files.append(own)
        signals = [point.settings.signals for point in self.targets.points[study]]
        alike = all(of_point == signals[0] for of_point in signals)
        return {"keys": keys, "targets": targets, "files": files, "is_evaluated_alike": alike}

    def transfer(self, study: str) -> Spec:
        """The runs at each point, and for each seed the numbers of its files in the lists of the study's."""
        inputs = {name: list(files) for name, files in self.targets.transfer_inputs(study).items()}
        place = {name: {file: number for number, file in enumerate(files)} for name, files in inputs.items()}
        kinds = [
            {
                "point": point.name,
                "run": variant.run,
                "other_records": variant.other_records,
                "files": self._transfer_files(variant, place),
            }
            for point, variants in zip(self.targets.points[study], self.targets.variants.of_studies[study], strict=True)
            for variant in variants
        ]
        first = self.targets.variants.of_studies[study][0][0]
        strategies = [STRATEGIES[name] for name in TRANSFERRED]
        return {"kinds": kinds, "strategies": strategies, "attacks": first.settings.attacks.model_dump(mode="json")}

    def _transfer_files(self, variant: Variant, place: dict[str, dict[str, int]]) -> list[dict[str, list[int]]]:
        """For each seed."""
        return [
            {
                name: [place[name][file] for file in self.targets.files(pattern, variant, seed=[str(seed)])]
                for name, pattern in self.targets.transferred.items()
            }
            for seed in variant.seeds
        ]

    def boundary(self, study: str, run: str, seed: str) -> Spec:
        """The network, and how far and how finely is searched."""
        settings, variant = self.config.studies[study], self._run_of(study, run)
        assert isinstance(settings, Outputs)
        adversarial = variant.signal_settings(["adversarial"])
        ball = adversarial["signals"]["adversarial"]["settings"]
        search = {"radii": settings.radii, "steps": settings.steps, "farthest": settings.farthest * ball["epsilon"]}
        return {**adversarial, "seed": int(seed), "search": search | {"norm": ball["norm"]}}

    def outputs(self, study: str) -> Spec:
        """What `transfer` has, with the ways of giving outputs."""
        settings = self.config.studies[study]
        assert isinstance(settings, Outputs)
        ways = {"temperatures": list(settings.temperatures), "decimals": list(settings.decimals)}
        strategies = [STRATEGIES[name] for name in OF_OUTPUTS]
        return self.transfer(study) | {"ways": ways, "strategies": strategies}

    def sensitivity_records(self, study: str) -> Spec:
        """How many records of each group are left out."""
        settings = self.config.studies[study]
        assert isinstance(settings, Sensitivity)
        counts = [settings.random, settings.most_at_risk, settings.least_at_risk]
        return {"counts": counts, "seed": self.targets.variants.of_studies[study][0][0].seeds[0]}

    def retrain(self, study: str, run: str, kind: str, batch: str) -> Spec:
        """A training of the study's run, and the models of one job."""
        variant = self._run_of(study, run)
        names = ("benign", "adversarial")
        return {
            **variant.train(),
            "seed": variant.seeds[0],
            "signals": variant.signal_settings(names)["signals"],
            "leaves_out": kind == "without",
            "models": self.targets.retraining_jobs(study)[kind][int(batch)],
            "train_batched": variant.settings.resources.train_batched,
        }

    def retraining_checkpoint(self, study: str, run: str, kind: str, batch: str) -> str:
        """What the names of the checkpoints of a job's models begin with."""
        spec = self.retrain(study, run, kind, batch)
        del spec["models"], spec["train_batched"], spec["signals"]
        return self.paths.checkpoint(f"{study}-{run}-{kind}", digest(spec, code_digest("retrain", spec)))

    def sensitivity(self, study: str) -> Spec:
        """The runs, and how many files of each kind of retraining each has."""
        variants = self.targets.variants.of_studies[study][0]
        natural = next((variant.run for variant in variants if variant.method.name == "natural"), None)
        jobs = {kind: len(own) for kind, own in self.targets.retraining_jobs(study).items()}
        return {"runs": [variant.run for variant in variants], "natural": natural, "jobs": jobs}

    def _run_of(self, study: str, run: str) -> Variant:
        """A run at the study's first point."""
        return next(variant for variant in self.targets.variants.of_studies[study][0] if variant.run == run)

    def study_figure(self, study: str) -> Spec:
        """The keys that are varied: of points that have names, none."""
        settings = self.config.studies[study]
        return {"keys": list(settings.vary) if isinstance(settings, Varied) else []}

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
            "in_verified_ball": in_verified_ball(settings.signals) if settings else [],
            **inference(AttackSettings()),
        }
