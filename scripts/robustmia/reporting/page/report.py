"""The report of a run: for each data set the answer, every run in one table, the figures and tables; then the studies."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from robustmia.files.tables import read_table
from robustmia.reporting.conclusions import conclusions_text
from robustmia.reporting.page.leaderboard import leaderboard
from robustmia.reporting.page.page import (
    Drawing,
    Section,
    TablePage,
    caption,
    in_yaml,
    provenance,
    read_drawing,
    read_table_page,
    render_page,
    wall_times,
)

if TYPE_CHECKING:
    import pandas as pd

QUESTION = "Does training a classifier to resist adversarial examples make it reveal who was in its training set, and how much?"
INTRODUCTION = (
    "Membership inference against models that were trained naturally and with robust training methods, from clean inputs (I_B), adversarial inputs (I_A) and, where bounds were computed, the verified worst case (I_V), after Song, Shokri and Mittal (CCS 2019). "
    "Accuracies of attacks are balanced: 50 % is chance."
)
LEADERBOARD_NOTE = (
    "Percent, means over seeds. Clean, adversarial and verified accuracy: on non-members, ± the standard deviation over seeds. Other numbers: of attacks, with 95 % confidence intervals, which include the variation between trainings if there are several seeds. Press a heading to sort. Strongest attack: chosen on one half of the records of each model and measured on the other, among attacks with honest thresholds; "
    "so it may have a lower accuracy than a single attack in its row. Intervals of single attacks are not corrected for their number. "
    "I_B, I_A, I_V: thresholds from one half of the records, applied to the other. The highest AUC and true positive rates (TPR) at a false positive rate (FPR) are those of the attack that does best on the same records, "
    "so that they are somewhat too high."
)


def report_page(spec: dict[str, Any], config: dict[str, Any], captions: dict[str, str]) -> str:
    """The page.

    Args:
        spec: of the job, from `ReportJob`.
        config: the configuration in force, as it was given.
        captions: templates of the captions of figures, by name.
    """
    quoted = {key: spec[key] for key in ("seeds", "shadow_models")}
    sections = [
        _dataset(name, part, config["datasets"][name], captions, quoted) for name, part in spec["datasets"].items()
    ]
    sections += [_study(part, captions, quoted, first=not place) for place, part in enumerate(spec["studies"])]
    models = [file for part in spec["datasets"].values() for run in part["specs"].values() for file in run["train"]]
    made = {"seeds": ", ".join(map(str, spec["seeds"])), "shadow models": spec["shadow_models"] or "none"}
    return render_page(
        "robustmia: results",
        QUESTION,
        sections,
        introduction=INTRODUCTION,
        leaderboard_note=LEADERBOARD_NOTE,
        made_title="How it was made",
        made=made | provenance(models),
        footer=[
            'The whole configuration is in <a href="config.yaml">config.yaml</a>, and each result has its settings, seconds and versions beside it in a <code>spec.json</code>. '
            f"<code>snakemake provenance --cores 1 --configfile {escape(config['results_dir'])}/config.yaml</code> writes Snakemake's own report: which job made which file, from what and with which code."
        ],
    )


def _dataset(
    name: str, part: dict[str, Any], settings: dict[str, Any], captions: dict[str, str], quoted: dict[str, Any]
) -> Section:
    robustness, membership, over_seeds, conclusions = (
        read_table(part["csv"][table])
        for table in ("robustness", "membership_inference", "membership_over_seeds", "conclusions")
    )
    drawings, answer = _drawings(part, captions, quoted), conclusions_text(conclusions)
    runs = {run: given for run, given in settings["runs"].items() if given is not None}
    return Section(
        anchor=f"data-{name}",
        name=name,
        title=f"Results on {name}",
        paragraphs=[*answer, members_in_words(membership)],
        first=next((drawing for is_first, drawing in drawings if is_first), None),
        leaderboard=leaderboard(robustness, over_seeds, conclusions),
        tables={title: _without_answer(read_table_page(path), answer) for title, path in part["tables"].items()},
        drawings=[drawing for is_first, drawing in drawings if not is_first],
        settings=in_yaml({key: value for key, value in settings.items() if key != "runs"}),
        runs={run: in_yaml(given) for run, given in runs.items()},
        times=wall_times(part["specs"]),
        files=[*part["files"], *(drawing.pdf for _, drawing in drawings)],
    )


def members_in_words(membership: pd.DataFrame) -> str:
    """How many members the models have; from the rows of one data set in `membership_inference.csv`."""
    counts = membership.iloc[0]
    return f"Each model has {counts.members} members, which are to be told from {counts.nonmembers} non-members."


def _without_answer(table: TablePage, answer: list[str]) -> TablePage:
    """Without those words that the section begins with."""
    return TablePage(table.table, [paragraph for paragraph in table.words if paragraph not in answer])


def _study(part: dict[str, Any], captions: dict[str, str], quoted: dict[str, Any], first: bool) -> Section:
    ((title, path),) = part["tables"].items()
    table = read_table_page(path)
    ((_, drawing),) = _drawings(part, captions, quoted)
    return Section(
        anchor=f"study-{part['name'].replace(' ', '-')}",
        name="studies" if first else "",
        title=f"Study: {part['name']}",
        paragraphs=table.words,
        first=drawing,
        tables={title: TablePage(table.table)},
        files=[*part["files"], drawing.pdf],
    )


def _drawings(part: dict[str, Any], captions: dict[str, str], quoted: dict[str, Any]) -> list[tuple[bool, Drawing]]:
    """The figures, and whether each is that which shows the answer."""
    return [
        (
            figure["is_first"],
            read_drawing(
                figure["name"],
                figure["title"],
                figure["svg"],
                figure["pdf"],
                caption(
                    captions[figure["caption"]["template"]],
                    figure["caption"]["wildcards"],
                    figure["caption"]["params"],
                    quoted,
                ),
            ),
        )
        for figure in part["figures"]
    ]
