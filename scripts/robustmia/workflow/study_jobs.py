"""The jobs of studies: which files each reads, and the spec that it is given."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

from robustmia.config.registry import STRATEGIES
from robustmia.settings import PerturbationSettings
from robustmia.studies.settings import OF_OUTPUTS, TRANSFERRED, Outputs, Sensitivity, Varied
from robustmia.workflow.code_digest import code_digest, digest
from robustmia.workflow.paths import filled
from robustmia.workflow.specs import Spec
from robustmia.workflow.targets import Targets
from robustmia.workflow.variants import Variant, chunks

LEAVES_OUT = {"without": True, "again": False}
"""The kinds of retrainings, and whether each of their models leaves a record out."""


class StudyJobs:
    """The jobs of every study of one configuration. Methods that give specs are named after the rules that they are for."""

    def __init__(self, targets: Targets):
        self.targets, self.config, self.paths = targets, targets.config, targets.paths
        self.transferred = {
            "split": self.paths.split,
            "signals": self.paths.signals,
            "shadows": self.paths.shadow_signals,
        }
        """What a transfer study reads of every target, by the name of the input."""

    def names(self, kind: str | None = None) -> list[str]:
        """Studies, of one kind or of all."""
        return [name for name, study in self.config.studies.items() if kind in (None, study.kind)]

    def files(self, study: str) -> list[str]:
        """The page and the figure of a study, with which everything else of it is made."""
        figure = filled(self.paths.study_figure, figure=self.config.studies[study].kind)
        files = ((self.paths.study_page, "md"), (figure, "pdf"))
        return [filled(file, study=study, form=form) for file, form in files]

    def variants(self, study: str) -> list[Variant]:
        """Every run at every point."""
        return list(chain(*self.targets.variants.of_studies[study]))

    def first_variants(self, study: str) -> list[Variant]:
        """The runs at the first point, which is the only one of most kinds of study."""
        return self.targets.variants.of_studies[study][0]

    def of_run(self, pattern: str, study: str, run: str, seed: str) -> str:
        """A file of a run at a study's first point."""
        return self.targets.files(pattern, self._run(study, run), seed=[seed])[0]

    def of_first_seed(self, study: str, pattern: str) -> list[str]:
        """A file of each run of a study at its first point, of its first seed."""
        return [self._of_first_seed(pattern, variant) for variant in self.first_variants(study)]

    def of_data(self, study: str, pattern: str) -> str:
        """A file of the data set of a study at its first point, of its first seed."""
        return self.of_first_seed(study, pattern)[0]

    def _of_first_seed(self, pattern: str, variant: Variant) -> str:
        return self.targets.files(pattern, variant, seed=[str(variant.seeds[0])])[0]

    def _run(self, study: str, run: str) -> Variant:
        return next(variant for variant in self.first_variants(study) if variant.run == run)

    # ------------------------------------------------------------ sweeps

    def results(self, study: str) -> list[str]:
        """The results of every record of all target models of a study, each once, as points may share some."""
        return once(self.targets.files(self.paths.record_results, variant) for variant in self.variants(study))

    def private_histories(self, study: str) -> list[str]:
        """Of the trainings of a study that are differentially private: that of the first seed of each run at each point, once."""
        private = [variant for variant in self.variants(study) if variant.privacy]
        return once([self._of_first_seed(self.paths.history, variant)] for variant in private)

    def sweep(self, study: str) -> Spec:
        """The runs at each point, with the results of their seeds, and the history of private ones.

        A run that a point with a name leaves as it is at an earlier one is not shown again.
        """
        points, keys = self.targets.points[study], self.keys(study)
        found: list[Spec] = []
        for point, variants in zip(points, self.targets.variants.of_studies[study], strict=True):
            for variant in variants:
                results = self.targets.files(self.paths.record_results, variant)
                found.append(
                    {
                        "point": point.name or "as configured",
                        "values": point.plain_values if keys else {},
                        "run": variant.run,
                        "method": variant.method.name,
                        "results": results,
                        "private": self._private(variant),
                        "is_shown": bool(keys) or results not in [target["results"] for target in found],
                    }
                )
        alike = all(point.settings.signals == points[0].settings.signals for point in points)
        return {"keys": keys, "targets": found, "is_evaluated_alike": alike, "seeds": len(found[0]["results"])}

    def sweep_figure(self, study: str) -> Spec:
        return {"keys": self.keys(study), "seeds": len(self.first_variants(study)[0].seeds)}

    def keys(self, study: str) -> list[str]:
        """The keys that are varied: of points that have names, none."""
        settings = self.config.studies[study]
        return list(settings.vary) if isinstance(settings, Varied) else []

    def _private(self, variant: Variant) -> Spec | None:
        if variant.privacy is None:
            return None
        return {"history": self._of_first_seed(self.paths.history, variant), "delta": variant.privacy.delta}

    # ------------------------------------------------------------ transfer, and changed outputs

    def transfer_inputs(self, study: str) -> dict[str, list[str]]:
        """The files of a transfer study, each once."""
        return {
            name: once(self.targets.files(pattern, variant) for variant in self.variants(study))
            for name, pattern in self.transferred.items()
        }

    def transfer(self, study: str) -> Spec:
        """The runs at each point, and the files of each seed."""
        kinds = [
            {
                "point": point.name,
                "run": variant.run,
                "other_records": variant.other_records,
                "files": self._transfer_files(variant),
            }
            for point, variants in zip(self.targets.points[study], self.targets.variants.of_studies[study], strict=True)
            for variant in variants
        ]
        attacks = self.first_variants(study)[0].settings.attacks.model_dump(mode="json")
        return {"kinds": kinds, "strategies": [STRATEGIES[name] for name in TRANSFERRED], "attacks": attacks}

    def _transfer_files(self, variant: Variant) -> list[dict[str, list[str]]]:
        """For each seed."""
        return [
            {name: self.targets.files(pattern, variant, seed=[str(seed)]) for name, pattern in self.transferred.items()}
            for seed in variant.seeds
        ]

    def output_inputs(self, study: str) -> dict[str, list[str]]:
        """The files of a study of outputs: those of a transfer study, and the distances to the boundary, each run with its seeds."""
        distances = [
            filled(self.paths.boundary, study=study, run=variant.run, seed=seed)
            for variant in self.first_variants(study)
            for seed in variant.seeds
        ]
        return self.transfer_inputs(study) | {"boundary": distances}

    def outputs(self, study: str) -> Spec:
        """What `transfer` has, with the ways of giving outputs."""
        settings = self.config.studies[study]
        assert isinstance(settings, Outputs)
        ways = {"temperatures": list(settings.temperatures), "decimals": list(settings.decimals)}
        strategies = [STRATEGIES[name] for name in OF_OUTPUTS]
        return self.transfer(study) | {"ways": ways, "strategies": strategies}

    def boundary(self, study: str, run: str, seed: str) -> Spec:
        """The network, and how far and how finely is searched."""
        settings, variant = self.config.studies[study], self._run(study, run)
        assert isinstance(settings, Outputs)
        ball = variant.settings.signals["adversarial"]
        assert isinstance(ball, PerturbationSettings)
        search = {"radii": settings.radii, "steps": settings.steps, "farthest": settings.farthest * ball.epsilon}
        return {**variant.network(), "seed": int(seed), "search": search | {"norm": ball.norm}}

    # ------------------------------------------------------------ sensitivity

    def sensitivity_records(self, study: str) -> Spec:
        """How many records of each group are left out."""
        settings = self.config.studies[study]
        assert isinstance(settings, Sensitivity)
        return {"counts": settings.counts, "seed": self.first_variants(study)[0].seeds[0]}

    def retraining_jobs(self, study: str) -> dict[str, list[list[int]]]:
        """The numbers of the models that each job trains again: `without` a record each, or `again` with all."""
        settings = self.config.studies[study]
        assert isinstance(settings, Sensitivity)
        size = self.targets.points[study][0].settings.resources.shadow_models_per_job
        return {"without": chunks(sum(settings.counts), size), "again": chunks(settings.retrainings, size)}

    def retrained(self, study: str) -> list[str]:
        """The files of all retrainings of a study, run by run."""
        return [
            filled(self.paths.retrained, study=study, run=variant.run, kind=kind, batch=batch)
            for variant in self.first_variants(study)
            for kind, jobs in self.retraining_jobs(study).items()
            for batch in range(len(jobs))
        ]

    def retrain(self, study: str, run: str, kind: str, batch: str) -> Spec:
        """A training of the study's run, and the models of one job."""
        variant = self._run(study, run)
        return {
            **variant.train(),
            "seed": variant.seeds[0],
            "signals": variant.signal_settings(("benign", "adversarial"))["signals"],
            "leaves_out": LEAVES_OUT[kind],
            "models": self.retraining_jobs(study)[kind][int(batch)],
            "train_batched": variant.settings.resources.train_batched,
        }

    def retraining_checkpoint(self, study: str, run: str, kind: str, batch: str) -> str:
        """What the names of the checkpoints of a job's models begin with."""
        spec = self.retrain(study, run, kind, batch)
        del spec["models"], spec["train_batched"], spec["signals"]
        return self.paths.checkpoint(f"{study}-{run}-{kind}", digest(spec, code_digest("retrain", spec)))

    def sensitivity(self, study: str) -> Spec:
        """The runs, and how many files of each kind of retraining each has."""
        variants = self.first_variants(study)
        natural = next((variant.run for variant in variants if variant.method.name == "natural"), None)
        jobs = {kind: len(own) for kind, own in self.retraining_jobs(study).items()}
        return {"runs": [variant.run for variant in variants], "natural": natural, "jobs": jobs}


def once(lists: Iterable[list[str]]) -> list[str]:
    """The files of all lists in order, each once."""
    return list(dict.fromkeys(chain(*lists)))
