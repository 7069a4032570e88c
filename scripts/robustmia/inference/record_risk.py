"""The risk of each record under each attack, which records robust training puts at risk, and whether models agree on them."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from robustmia.inference.record_results import RecordResults

OVERALL = "all/joint"
"""The attack whose risk stands for a record: the one that uses all signals."""
MOST_AT_RISK = 0.05  # part of the members
SIGNIFICANT_DIGITS = 4  # of scores and risks in tables for people


def record_table(results: RecordResults, natural: RecordResults | None, names: np.ndarray) -> pd.DataFrame:
    """A row for each record of one target model.

    Args:
        results: of the target model.
        natural: of the naturally trained model of the same seed, with the same records; None: there is none, or the target is it.
        names: of all records of the data set, str [N].

    Returns:
        `record` (its row in the data set), `name` (its file, or its set and index), `label`, `member`, and for each strategy on each signal `score_*`, `risk_*` (the
        calibrated probability that the record is a member) and `risk_change_*` from natural training.
    """
    columns: dict[str, np.ndarray] = {"record": results.rows, "name": names[results.rows]}
    columns |= {"label": results.labels, "member": results.is_member}
    for position, attack in enumerate(results.attacks):
        name = str(attack).replace("/", "_")
        columns[f"score_{name}"] = _rounded(results.scores[position])
        risk = results.risks[position]
        if np.isfinite(risk).all():
            columns[f"risk_{name}"] = _rounded(risk)
            if natural is not None and attack in natural.attacks:
                columns[f"risk_change_{name}"] = _rounded(risk - natural.risk(str(attack)))
    return pd.DataFrame(columns)


def _rounded(values: np.ndarray) -> np.ndarray:
    return np.array([float(f"{value:.{SIGNIFICANT_DIGITS}g}") for value in values])


def risk_table(runs: dict[tuple[str, int], RecordResults], natural: str | None) -> pd.DataFrame:
    """A row for each record of each target model: its risk under the joint attack, and the change from natural training.

    Args:
        runs: by run and seed; target models of one seed have the same records in the same order.
        natural: the run that others are compared with, whose own change is empty; None: there is none, and all are.
    """
    parts = []
    for (run, seed), results in runs.items():
        risk, compared = results.risk(OVERALL), natural is not None and run != natural
        part = {
            "run": run,
            "seed": seed,
            "record": results.rows,
            "label": results.labels,
            "member": results.is_member,
            "risk": risk,
            "risk_change": risk - runs[str(natural), seed].risk(OVERALL) if compared else np.nan,
        }
        parts.append(pd.DataFrame(part))
    return pd.concat(parts, ignore_index=True)


AGREEMENT_COLUMNS = (
    *("kind", "run_a", "seed_a", "run_b", "seed_b", "members"),
    *("spearman", "overlap", "nonmember_spearman", "nonmember_overlap"),
)


def agreement_table(risks: pd.DataFrame) -> pd.DataFrame:
    """How far pairs of target models agree on which records are at risk, over the records that are members of both.

    Pairs are two runs of one seed, and two seeds of one run. `spearman`: rank correlation of the risks; `overlap`: the part
    of the 5 % most at risk that both have in common. `nonmember_*` are the same over records that are members of neither: the
    agreement that does not come from training on a record, since shadow models of one seed are trained on the same records for every run.
    """
    targets = {key: rows.set_index("record") for key, rows in risks.groupby(["run", "seed"], sort=False)}
    rows = []
    for (run_a, seed_a), (run_b, seed_b) in combinations(targets, 2):
        if (seed_a == seed_b) == (run_a == run_b):
            continue
        pair = targets[run_a, seed_a], targets[run_b, seed_b]
        members, nonmembers = (_risks_of_both(*pair, member=side) for side in (True, False))
        row = {"kind": "methods" if seed_a == seed_b else "seeds", "run_a": run_a, "seed_a": seed_a}
        row |= {"run_b": run_b, "seed_b": seed_b, "members": len(members), **_agreement(members)}
        rows.append(row | {f"nonmember_{name}": value for name, value in _agreement(nonmembers).items()})
    return pd.DataFrame(rows, columns=AGREEMENT_COLUMNS)


def _risks_of_both(one: pd.DataFrame, other: pd.DataFrame, member: bool) -> np.ndarray:
    """Risks under two models of the records that are members, or are not, of both, [N, 2]."""
    sides = [target.risk[target.member == member] for target in (one, other)]
    return pd.concat(sides, axis=1, join="inner").to_numpy()


def _agreement(risks: np.ndarray) -> dict[str, float | None]:
    """Of the risks of the same records under two models, [N, 2]; empty where all risks under one of them are equal."""
    if len(risks) < 2 or (risks == risks[0]).all(axis=0).any():
        return {"spearman": None, "overlap": None}
    most = max(1, round(MOST_AT_RISK * len(risks)))
    one, other = (_among_the_highest(column, most) for column in risks.T)
    return {"spearman": float(spearmanr(*risks.T).statistic), "overlap": float(one @ other) / most}


def _among_the_highest(risks: np.ndarray, count: int) -> np.ndarray:
    """Which risks are among the highest so many, [N]: 1 or 0, and for those that tie for the last places their equal share of them."""
    last = np.sort(risks)[-count]
    above, tied = risks > last, risks == last
    return above + tied * (count - above.sum()) / tied.sum()
