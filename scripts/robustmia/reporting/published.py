"""The published results of Song, Shokri and Mittal (CCS 2019) beside ours.

`published.csv` has 36 membership accuracies, from clean and from adversarial inputs, with the accuracies of the models, in the full precision of the notebooks in the
authors' repository (inspire-group/privacy-vs-robustness, commit 785432e; read off as facts). The paper prints them in percent with two digits. Each is of one
model, and the threshold was chosen on the evaluated records (the oracle rule).
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from scipy.stats import spearmanr

from robustmia.files.tables import read_table
from robustmia.reporting.numbers import percent
from robustmia.reporting.tables import rows_of

PUBLISHED = Path(__file__).with_name("published.csv")
PREFIXES = {"benign": "", "adversarial": "adv_"}
STRATEGIES = {"benign": "I_B", "adversarial": "I_A"}
THEIRS = {
    "train_accuracy": "published_train",
    "test_accuracy": "published_test",
    "inference_accuracy": "published",
}
OURS = ["mean", "low", "high"]
ENOUGH_TO_RANK = 4  # methods


def published_comparison(source: str, robustness: pd.DataFrame, over_seeds: pd.DataFrame) -> pd.DataFrame:
    """The paper's membership accuracies on a data set, and ours under the same threshold rule.

    Args:
        source: `yale`, `fashion_mnist` or `cifar10`.
        robustness: rows of one data set from `robustness.csv`.
        over_seeds: `membership_over_seeds.csv` of the same.

    Returns:
        A row for each run whose method the paper has, and each of its inputs: the published accuracies of the model (`published_train`, `published_test`) and of inference
        (`published`), ours as means over seeds (`train`, `test`, `mean`) with the 95 % confidence interval of the latter (`low`, `high`) and `difference`; what uninformative scores give (`chance`); and
        our accuracy with a threshold from other records (`honest`, `honest_low`, `honest_high`). Fractions.
    """
    theirs = read_table(PUBLISHED).rename(columns=THEIRS)
    theirs = theirs[theirs.source == source].drop(columns="source")
    accuracies = pd.concat([_accuracies(robustness, inputs) for inputs in STRATEGIES])
    ours = over_seeds[over_seeds.quantity == "accuracy"].assign(
        inputs=over_seeds.strategy.map({strategy: inputs for inputs, strategy in STRATEGIES.items()})
    )
    oracle, honest = (
        ours[ours.threshold_rule == rule][["run", "inputs", *columns]]
        for rule, columns in (("oracle", [*OURS, "seeds", "interval_covers", "chance"]), ("split", OURS))
    )
    honest = honest.rename(columns={"mean": "honest", "low": "honest_low", "high": "honest_high"})
    joined = accuracies.merge(theirs, on=["method", "inputs"]).merge(oracle, on=["run", "inputs"])
    joined = joined.merge(honest, on=["run", "inputs"]).assign(difference=lambda row: row["mean"] - row.published)
    order = {run: position for position, run in enumerate(robustness.run.unique())}
    return joined.sort_values("run", key=lambda runs: runs.map(order), kind="stable", ignore_index=True)


def _accuracies(robustness: pd.DataFrame, inputs: str) -> pd.DataFrame:
    """Mean accuracies of each run's models on members and non-members."""
    names = {f"{PREFIXES[inputs]}{side}_accuracy": side for side in ("train", "test")}
    means = robustness.groupby(["dataset", "run", "method"], sort=False)[list(names)].mean()
    return means.rename(columns=names).reset_index().assign(inputs=inputs)


def published_table(comparison: pd.DataFrame) -> pd.DataFrame:
    """The comparison as text, in percent."""
    return pd.DataFrame(
        {
            "run": row["run"],
            "inputs": row["inputs"],
            "published": f"{100 * row['published']:.1f}",
            "ours, oracle threshold (95 % CI)": percent(row["mean"], row["low"], row["high"]),
            "difference": f"{100 * row['difference']:+.1f}",
            "ours, honest threshold (95 % CI)": percent(row["honest"], row["honest_low"], row["honest_high"]),
            "model, published: train / test": f"{100 * row['published_train']:.1f} / {100 * row['published_test']:.1f}",
            "model, ours: train / test": f"{100 * row['train']:.1f} / {100 * row['test']:.1f}",
        }
        for row in rows_of(comparison)
    )


def published_text(comparison: pd.DataFrame, differences: dict[str, list[str]]) -> list[str]:
    """How near ours are to the published numbers and to their order, and what differs in how they were made.

    Args:
        comparison: of `published_comparison`.
        differences: by run, from `differences_from_paper`.
    """
    seeds = int(comparison.seeds.max())
    covers = (
        f"Our numbers are means over {seeds} seeds, whose intervals include the variation between trainings"
        if seeds > 1
        else "Our numbers are of one seed: those with the oracle threshold have no intervals, and the intervals of the others do not include the variation between trainings"
    )
    return [
        *(_nearness(inputs, comparison[comparison.inputs == inputs]) for inputs in STRATEGIES),
        *_protocol(differences),
        f"{covers}; each published one is of one model. Percent; the oracle threshold, which is the paper's, is chosen on the evaluated records themselves, so that uninformative scores give "
        f"{100 * comparison.chance.mean():.1f} % here. The honest threshold is chosen on one half of the records and applied to the other.",
    ]


def _protocol(differences: dict[str, list[str]]) -> list[str]:
    """The settings that are not the paper's: of all runs, then a paragraph for each."""
    lists = list(differences.values())
    shared = [item for item in lists[0] if all(item in others for others in lists)]
    further = {run: [item for item in items if item not in shared] for run, items in differences.items()}
    said = [
        "All methods share one network, where the paper's differ in padding, biases and kernel sizes (docs/architecture.md)."
    ]
    if shared:
        said.append(f"All runs differ from the paper's settings, given in brackets, in {', '.join(shared)}.")
    return [" ".join(said), *(f"{run}: {', '.join(items)}." for run, items in further.items() if items)]


def _nearness(inputs: str, rows: pd.DataFrame) -> str:
    furthest = rows.iloc[rows.difference.abs().argmax()]
    text = (
        f"{STRATEGIES[inputs]} ({inputs} inputs): ours differ from the published accuracies by {100 * rows.difference.abs().mean():.1f} points in the mean, most for {furthest.run} "
        f"({100 * furthest.difference:+.1f})."
    )
    if rows.low.notna().any():
        within = int(rows.published.between(rows.low, rows.high).sum())
        text += f" {within} of {len(rows)} published numbers lie within the 95 % confidence intervals of our means; a single model, as each of the paper's is, scatters more."
    if rows.method.nunique() < ENOUGH_TO_RANK:
        return text
    correlation = spearmanr(rows.published, rows["mean"]).statistic
    return f"{text} The order of the methods agrees with the paper's to a rank correlation of {correlation:+.2f}, of {rows.method.nunique()} methods alone."
