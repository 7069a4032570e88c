"""Tables: the long ones put together, and the paper's layout rendered for people."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd

from robustmia.bounds.choice import IN_WORDS, duration
from robustmia.files.atomic import write_text
from robustmia.files.tables import read_table
from robustmia.reporting.labels import PAPER_STRATEGIES, spaced

ACCURACIES = {
    "train_accuracy": "train",
    "test_accuracy": "test",
    "adv_train_accuracy": "adv. train",
    "adv_test_accuracy": "adv. test",
    "verified_train_accuracy": "ver. train",
    "verified_test_accuracy": "ver. test",
}
RULES = ("oracle", "split")
STYLESHEET = "body{font:15px sans-serif;margin:2em}td,th{padding:.3em .8em;text-align:right;white-space:nowrap}th:first-child,td:first-child{text-align:left}tr:nth-child(even){background:#f3f3f3}p{max-width:50em;color:#444}"


def concatenate(paths: Iterable[str | Path]) -> pd.DataFrame:
    """Tables of the same columns, one below the other, in the order given."""
    return pd.concat([read_table(path).astype(object) for path in paths], ignore_index=True)


def rows_of(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a table, each by its columns."""
    return [{str(key): value for key, value in row.items()} for row in table.to_dict("records")]


def paper_table(robustness: pd.DataFrame, membership: pd.DataFrame) -> pd.DataFrame:
    """A row for each run: its accuracies, then each strategy under each threshold rule.

    Args:
        robustness: rows of one data set from `robustness.csv`.
        membership: rows of one data set from `membership_inference.csv`.

    Returns:
        For each quantity two columns, its mean over seeds (a fraction) and, as `<name> sd`, its standard deviation over
        seeds, empty with one seed. Runs keep their order; quantities that no run has are left out. The last row, `(chance)`, is what
        uninformative scores are expected to give.
    """
    values = robustness.set_index(["run", "seed"])[list(ACCURACIES)].rename(columns=ACCURACIES)
    attacks = membership[membership.threshold_rule.isin(RULES) & membership.strategy.isin(PAPER_STRATEGIES)]
    by_chance: dict[str, str | float] = {"run": "(chance)"}
    for (strategy, rule), rows in attacks.groupby(["strategy", "threshold_rule"], sort=False):
        values[f"{strategy} {rule}"] = rows.set_index(["run", "seed"]).accuracy
        by_chance[f"{strategy} {rule}"] = rows.chance_accuracy.mean()
    return pd.concat([_over_seeds(values.dropna(axis=1, how="all")), pd.DataFrame([by_chance])], ignore_index=True)


def verification_table(verification: pd.DataFrame) -> pd.DataFrame:
    """A row for each run: its verified accuracy on non-members under each verifier by itself, then under the tightest.

    Returns:
        Columns as `paper_table` has them.
    """
    rows = verification.set_index(["run", "seed"])
    names = {name: words for name, words in IN_WORDS.items() if name in set(rows.verifier)} | {"tightest": "tightest"}
    values = pd.DataFrame({names[name]: rows[rows.verifier == name].verified_test_accuracy for name in names})
    return _over_seeds(values.reindex(rows.index.unique()))


def _over_seeds(values: pd.DataFrame) -> pd.DataFrame:
    """Mean and standard deviation, as two columns for each quantity, of values by run and seed; runs keep their order."""
    by_run = values.astype(float).groupby("run", sort=False)
    mean, deviation = by_run.mean(), by_run.std().add_suffix(" sd")
    columns = [column for name in mean for column in (name, f"{name} sd")]
    return pd.concat([mean, deviation], axis=1)[columns].reset_index()


def in_percent(table: pd.DataFrame, plus_minus: str) -> pd.DataFrame:
    """The paper's table as text: percent with one decimal, and the standard deviation over seeds where there is one."""
    text = {"run": table["run"].astype(str).tolist()}
    names = list(table.columns[1::2])
    for name in names:
        pairs = zip(table[name], table[f"{name} sd"], strict=True)
        text[name] = [_cell(mean, deviation, plus_minus) for mean, deviation in pairs]
    return pd.DataFrame(text)


def _cell(mean: float, deviation: float, plus_minus: str) -> str:
    if pd.isna(mean):
        return ""
    return f"{100 * mean:.1f}" + ("" if pd.isna(deviation) else f"{plus_minus}{100 * deviation:.1f}")


def render(form: str, table: pd.DataFrame, note: str) -> str:
    """A table of `paper_table` or `verification_table` as `markdown`, `latex` (`booktabs`) or `html`, with a note below it."""
    return render_text(form, in_percent(table, r" $\pm$ " if form == "latex" else " ± "), note)


def render_text(form: str, text: pd.DataFrame, note: str) -> str:
    """A table whose cells are text, in the same forms."""
    if form == "markdown":
        cells = text.replace(r"\|", r"\|", regex=True)
        return f"{cells.to_markdown(index=False, disable_numparse=True)}\n\n{note}\n"
    if form == "html":
        paragraphs = "".join(f"<p>{escape(paragraph, quote=False)}</p>" for paragraph in note.split("\n\n"))
        body = text.to_html(index=False, border=0, justify="left")
        return f"<!doctype html><meta charset='utf-8'><style>{STYLESHEET}</style>{body}{paragraphs}\n"
    text = text.replace({"run": {"_": " "}}, regex=True).rename(columns=_latex_heading)
    body = text.style.hide(axis="index").to_latex(hrules=True, column_format="l" + "r" * (text.shape[1] - 1))
    return f"% {' '.join(note.replace('%', 'percent').split())}\n{body}"


def write_page(output: Any, text: pd.DataFrame, paragraphs: list[str]) -> None:
    """A table whose cells are text, and words below it, in the files `markdown` and `html` of a job's output."""
    for form in ("markdown", "html"):
        write_text(getattr(output, form), render_text(form, text, "\n\n".join(paragraphs)))


def paper_note(membership: pd.DataFrame, quotes: dict[str, str]) -> str:
    """What the numbers of the paper's table are.

    Args:
        membership: the rows it was made from, for the numbers of records and of seeds.
        quotes: the settings of the evaluation attack (`adversarial`) and of the bounds (`verified`, if there are any), in words.
    """
    first = membership.iloc[0]
    seeds = membership.seed.nunique()
    spread = f"mean ± standard deviation over {seeds} seeds" if seeds > 1 else "one seed"
    verified = f" Verified accuracy: {quotes['verified']}." if "verified" in quotes else ""
    return (
        f"Percent, {spread}; {int(first.members)} members and {int(first.nonmembers)} non-members. Adversarial accuracy: "
        f"{quotes['adversarial']}.{verified} The oracle threshold, which is the paper's, is chosen on the evaluated records themselves, "
        "so that chance is above 50 %. The split threshold is chosen on one half of the records and applied to the other half."
    )


def verification_note(verification: pd.DataFrame, quotes: dict[str, str]) -> str:
    """What the numbers of the verifiers' table are, and what a tighter verifier would cost.

    Args:
        verification: the rows it was made from.
        quotes: as for `paper_note`.
    """
    cost = verification[verification.verifier == "tightest"].estimated_seconds.max()
    note = (
        f"Percent of the non-members that are verified, by each verifier alone, and by the lowest bound of all of them "
        f"(tightest): {quotes['verified']}. For 1,000 records they are estimated to take {duration(cost)} together at most"
    )
    tighter = verification.dropna(subset=["tighter_verifier"])
    if tighter.empty:
        return f"{note}; none is tighter."
    names = " or ".join(IN_WORDS[name] for name in tighter.tighter_verifier.unique())
    return f"{note}; {names} would be tighter, in {duration(tighter.tighter_seconds.max())} at most."


def _latex_heading(name: str) -> str:
    symbol, _, rest = name.partition("_")
    if symbol == "I":
        strategy, _, rule = rest.partition(" ")
        return rf"$\mathcal{{I}}_\mathrm{{{strategy}}}$ {rule}"
    return spaced(name)


def leakage_and_gap(robustness: pd.DataFrame, membership: pd.DataFrame, over_seeds: pd.DataFrame) -> pd.DataFrame:
    """For each target model its robust generalisation gap, adversarial train minus test accuracy, and what I_A then reveals.

    The accuracy is that of the honest split rule. `low` and `high` are the confidence interval of its mean over the run's seeds.
    """
    target = ["dataset", "run", "method", "seed"]
    gap = robustness[target].assign(robust_gap=robustness.adv_train_accuracy - robustness.adv_test_accuracy)
    for table, columns, keys in ((membership, ["accuracy"], target), (over_seeds, ["low", "high"], ["run"])):
        rows = table[(table.strategy == "I_A") & (table.threshold_rule == "split")]
        gap = gap.merge(rows[[*keys, *columns]], on=keys)
    return gap
