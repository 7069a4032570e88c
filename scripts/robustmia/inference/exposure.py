"""The per-record view: what each record risks under each strategy, and which records robust training exposes."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from robustmia.inference.attempts import Judged

OVERALL = "all/joint"
"""The attempt whose risk stands for a record's exposure: the one that uses all signals."""
MOST = 0.05  # part of the members that counts as most exposed
DIGITS = 4  # significant digits of scores and risks in tables for people


def record_table(judged: Judged, natural: Judged | None) -> pd.DataFrame:
    """A row for each record of one target model.

    Args:
        judged: of the target.
        natural: of the naturally trained model of the same seed, with the same records; None: there is none, or the target is it.

    Returns:
        `record` (its row in the data set), `label`, `member`, and for each strategy on each signal `score_*`, `risk_*` (the
        calibrated chance that the record is a member) and `risk_change_*` from natural training.
    """
    columns: dict[str, np.ndarray] = {"record": judged.rows, "label": judged.labels, "member": judged.is_member}
    for position, attempt in enumerate(judged.attempts):
        name = str(attempt).replace("/", "_")
        columns[f"score_{name}"] = _rounded(judged.scores[position])
        risk = judged.risks[position]
        if np.isfinite(risk).all():
            columns[f"risk_{name}"] = _rounded(risk)
            if natural is not None:
                columns[f"risk_change_{name}"] = _rounded(risk - risk_of(natural, str(attempt)))
    return pd.DataFrame(columns)


def _rounded(values: np.ndarray) -> np.ndarray:
    return np.array([float(f"{value:.{DIGITS}g}") for value in values])


def risk_of(judged: Judged, attempt: str = OVERALL) -> np.ndarray:
    """The risk of each record under one attempt, [n]."""
    return judged.risks[list(judged.attempts).index(attempt)]


def exposure_table(runs: dict[tuple[str, int], Judged], natural: str | None) -> pd.DataFrame:
    """A row for each record of each target model: its risk under the joint strategy, and the change from natural training.

    Args:
        runs: by run and seed; targets of one seed have the same records in the same order.
        natural: the run that others are compared with, whose own change is empty; None: there is none, and all are.
    """
    parts = []
    for (run, seed), judged in runs.items():
        risk, compared = risk_of(judged), natural is not None and run != natural
        part = {
            "run": run,
            "seed": seed,
            "record": judged.rows,
            "label": judged.labels,
            "member": judged.is_member,
            "risk": risk,
            "risk_change": risk - risk_of(runs[str(natural), seed]) if compared else np.nan,
        }
        parts.append(pd.DataFrame(part))
    return pd.concat(parts, ignore_index=True)


AGREEMENT_COLUMNS = (
    *("kind", "run_a", "seed_a", "run_b", "seed_b", "members"),
    *("spearman", "overlap", "nonmember_spearman", "nonmember_overlap"),
)


def agreement_table(exposure: pd.DataFrame) -> pd.DataFrame:
    """How far pairs of target models agree on who is exposed, over the records that are members of both.

    Pairs are two runs of one seed, and two seeds of one run. `spearman`: rank correlation of the risks; `overlap`: the part
    of the most exposed 5 % that both have in common. `nonmember_*` are the same over records that are members of neither: the
    agreement without any exposure, since both models are attacked with shadow models that have much in common.
    """
    targets = {key: rows.set_index("record") for key, rows in exposure.groupby(["run", "seed"], sort=False)}
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
    """Risks by two models of the records that are members, or are not, of both, [N, 2]."""
    sides = [target.risk[target.member == member] for target in (one, other)]
    return pd.concat(sides, axis=1, join="inner").to_numpy()


def _agreement(risks: np.ndarray) -> dict[str, float | None]:
    """Of the risks of the same records by two models, [N, 2]; empty where one of them sees no difference."""
    if len(risks) < 2 or (risks == risks[0]).all(axis=0).any():
        return {"spearman": None, "overlap": None}
    most = max(1, round(MOST * len(risks)))
    top = [set(np.argsort(-column, kind="stable")[:most]) for column in risks.T]
    return {"spearman": float(spearmanr(*risks.T).statistic), "overlap": len(top[0] & top[1]) / most}
