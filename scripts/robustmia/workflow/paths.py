"""Where every file is: the one place that knows, with {dataset}, {run}, {seed} and so on as wildcards of Snakemake."""

from __future__ import annotations

TARGET = "{dataset}/{run}/seed{seed}"


class Paths:
    """Paths under a folder of results. Those with wildcards are for rules, and for `Targets.expand`."""

    def __init__(self, results: str):
        data, models, signals = (
            f"{results}/data/{{dataset}}",
            f"{results}/models/{TARGET}",
            f"{results}/signals/{TARGET}",
        )
        inference, tables = f"{results}/inference/{TARGET}", f"{results}/tables"
        shadow = f"{results}/shadow/{TARGET}/batch{{batch}}"
        audit = f"{results}/audit/{{audit}}"
        self.results = results
        self.lock = f"{results}/.lock"

        self.records, self.records_spec = f"{data}/dataset.npz", f"{data}/dataset.spec.json"
        self.split, self.split_spec = f"{data}/split_seed{{seed}}.npz", f"{data}/split_seed{{seed}}.spec.json"

        self.model, self.history, self.model_spec = (
            f"{models}/{name}" for name in ("model.safetensors", "history.csv", "spec.json")
        )
        self.checkpoints = f"{results}/checkpoints"
        self.signals, self.signals_spec = f"{signals}/{{signals}}.npz", f"{signals}/{{signals}}.spec.json"

        self.shadow_models, self.shadow_history, self.shadow_spec = (
            f"{shadow}/{name}" for name in ("models.safetensors", "history.csv", "spec.json")
        )
        self.shadow_signals = f"{shadow}/{{signals}}.npz"

        self.target_table = f"{inference}/{{table}}.csv"
        self.record_results, self.inference_spec = f"{inference}/record_results.npz", f"{inference}/spec.json"
        self.target_records = f"{inference}/records.csv"

        self._stages = {
            self.records: "fetch",
            self.split: "split",
            **dict.fromkeys((self.model, self.history), "train"),
            self.signals: "signals",
            self.shadow_models: "shadow_train",
            self.shadow_signals: "shadow_signals",
        }

        self.table = f"{tables}/{{dataset}}/{{table}}.csv"
        self.rendered = f"{tables}/{{dataset}}/{{table}}.{{form}}"
        self.joined_table = f"{tables}/{{table}}.csv"
        self.figure = f"{results}/figures/{{dataset}}/{{figure}}.{{form}}"
        study = f"{results}/studies/{{study}}"
        self.study_table, self.study_page, self.study_figure = (
            f"{study}/{name}" for name in ("{table}.csv", "study.{form}", "{figure}.{form}")
        )
        self.left_out_records, self.retrained = f"{study}/records.csv", f"{study}/{{run}}/{{kind}}_batch{{batch}}.npz"
        self.explanation = f"{results}/studies/{{name}}"
        self.boundary = f"{study}/{{run}}/boundary_seed{{seed}}.npz"
        self.report, self.provenance, self.report_config = (
            f"{results}/{name}" for name in ("report.html", "provenance.html", "config.yaml")
        )

        self.audit_records, self.audit_signals = f"{audit}/dataset.npz", f"{audit}/signals"
        self.audit_table, self.audit_page, self.audit_figures = (
            f"{audit}/{name}" for name in ("{table}.csv", "report.html", "figures")
        )
        self.audit_membership, self.audit_robustness, self.audit_scores, self.audit_spec = (
            f"{audit}/{name}" for name in ("membership_inference.csv", "robustness.csv", "records.csv", "spec.json")
        )

    def stage(self, pattern: str) -> str:
        """The stage (see `variants.py`) whose results have this path, with all its wildcards; that of inference where it is none of the earlier ones."""
        return self._stages.get(pattern, "infer")

    def log(self, name: str) -> str:
        """The log of a job, given its rule and wildcards."""
        return f"{self.results}/logs/{name}.log"

    def checkpoint(self, name: str, key: str, ends: int | None = None) -> str:
        """Where a training keeps its state, which may end after some epochs: not one of the files that Snakemake deletes when a job fails."""
        return f"{self.checkpoints}/{name}-{key}{f'-after{ends}' if ends else ''}.pt"


def filled(pattern: str, **wildcards: object) -> str:
    """A path with some of its wildcards filled in, the others left."""
    for name, value in wildcards.items():
        pattern = pattern.replace(f"{{{name}}}", str(value))
    return pattern
