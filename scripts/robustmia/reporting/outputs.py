"""What a study of outputs says, in a table and in words."""

from __future__ import annotations

from typing import Any

import pandas as pd

from robustmia.reporting.labels import spaced
from robustmia.reporting.tables import rows_of
from robustmia.studies.outputs import LABEL_ONLY, UNCHANGED

UTILITIES = ("test accuracy", "calibration error")
BOUNDARY = "distance to the boundary"


COLUMNS = {
    "clean inputs, threshold": "clean inputs",
    "adversarial inputs, threshold": "adv. inputs",
    "adversarial inputs, shadow threshold": "shadow threshold",
    "adversarial inputs, LiRA AUC": "LiRA (AUC)",
    "adversarial inputs, RMIA AUC": "RMIA (AUC)",
    "adversarial inputs, correctness": "correctness",
    BOUNDARY: "boundary",
}


def outputs_text_table(table: pd.DataFrame) -> pd.DataFrame:
    """A row for each run and way of giving outputs, in percent: against the attacker who does not know, and the one who does where they differ."""
    rows = []
    for (run, output), part in table.groupby(["run", "output"], sort=False):
        means = {
            (row["quantity"], row["attacker"]): f"{100 * row['mean']:.1f}"
            for row in rows_of(part.fillna({"attacker": ""}))
        }
        row = {"run": run, "outputs": output} | {name: means[name, ""] for name in UTILITIES}
        for quantity, heading in COLUMNS.items():
            if quantity in set(table.quantity):
                both = [means.get((quantity, attacker), "") for attacker in ("unaware", "aware")]
                row[heading] = " / ".join(dict.fromkeys(both))
        rows.append(row)
    return pd.DataFrame(rows)


def outputs_text(table: pd.DataFrame) -> list[str]:
    """Paragraphs: what each kind of change does to attackers who know of it and who do not."""
    several = int(table.seeds.max()) > 1
    said = [_of_kind(table, kind, words) for kind, words in KINDS.items() if kind in set(table.kind)]
    covers = (
        "An effect is named where the 95 % confidence interval of the difference from unchanged outputs, seed by seed, which includes the variation between trainings, excludes 0; "
        "intervals are not corrected for their number."
        if several
        else "There is one seed, so that differences have no intervals, and other trainings may give others."
    )
    return [
        *said,
        "Attacks are on adversarial inputs unless the table says clean. Two numbers are those of the attacker who does not know how outputs are changed, and of the one who does. A temperature divides logits, so that whoever knows it multiplies again and has the outputs as they were: the aware attacker loses nothing, by "
        "construction. So it is with every change that keeps the order of scores, since thresholds and ROC curves follow the order alone.",
        f"Thresholds are chosen on one half of the records and applied to the other, or taken from shadow models whose outputs the aware attacker changes as well. {covers}",
    ]


KINDS = {"temperature": "A temperature", "decimals": "Rounding of probabilities", LABEL_ONLY: "Giving the label alone"}


ATTACKS = {
    "adversarial inputs, threshold": "thresholds",
    "adversarial inputs, shadow threshold": "thresholds from shadow models",
    "adversarial inputs, RMIA AUC": "RMIA",
}


def _of_kind(table: pd.DataFrame, kind: str, words: str) -> str:
    """Which attacks on adversarial inputs lose by a kind of change, for each run."""
    part = table[table.kind == kind]
    if kind == LABEL_ONLY:
        return f"{words}: {'; '.join(_labels(table, run) for run in dict.fromkeys(part.run))}."
    said = []
    for attacker, knows in (("unaware", "does not know of it"), ("aware", "knows of it")):
        weaker = []
        for quantity, attack in ATTACKS.items():
            rows = rows_of(part[(part.attacker == attacker) & (part.quantity == quantity)])
            lost = [
                f"{spaced(row['run'])} with {row['output']} ({100 * row['difference']:+.1f})"
                for row in rows
                if _lies_below(row)
            ]
            weaker += [f"{attack} on {', '.join(lost)}"] if lost else []
        effects = "; ".join(f"weaker {one}" for one in weaker) or "no attack is shown to be weaker"
        said.append(f"Against an attacker who {knows}: {effects}.")
    return f"{words}. {' '.join(said)}"


def _labels(table: pd.DataFrame, run: str) -> str:
    """What is left to an attacker who sees labels alone, beside unchanged outputs."""
    own = table[(table.run == run) & (table.attacker == "aware")].set_index(["output", "quantity"])["mean"]
    full, labels = (own[UNCHANGED, "adversarial inputs, threshold"], own[LABEL_ONLY, "adversarial inputs, correctness"])
    return (
        f"of {spaced(run)} correctness on adversarial inputs finds {100 * labels:.1f} % and the distance to the boundary {100 * own[LABEL_ONLY, BOUNDARY]:.1f} %, where thresholds on "
        f"confidences find {100 * full:.1f} %"
    )


def _lies_below(row: dict[str, Any]) -> bool:
    return bool(row["difference_high"] < 0) if not pd.isna(row["difference_high"]) else False
