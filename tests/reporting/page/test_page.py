"""Parts of pages from known files."""

from __future__ import annotations

import json
import re
from pkgutil import resolve_name

import pandas as pd
import pytest

from helpers import ROOT, refused
from reporting_helpers import over_seeds, robustness_and_membership
from robustmia.config.registry import FIGURES
from robustmia.reporting.figures.base import Figure
from robustmia.reporting.figures.style import PAPER, save, style
from robustmia.reporting.labels import attack_in_words
from robustmia.reporting.page.drawings import inline
from robustmia.reporting.page.leaderboard import leaderboard
from robustmia.reporting.page.page import (
    Section,
    caption,
    provenance,
    read_table_page,
    render_page,
    wall_times,
)
from robustmia.reporting.tables import render_text


@pytest.fixture
def svg(tmp_path):
    """A figure with text, clipped lines and a hollow marker."""
    import matplotlib.pyplot as plt

    with style(Figure()):
        drawing, axis = plt.subplots()
        axis.plot([0, 1], [0, 1], "o", color="black", markerfacecolor=PAPER, label="a")
        axis.legend()
        save(drawing, [tmp_path / "a.svg"])
    return (tmp_path / "a.svg").read_text()


def test_a_drawing_takes_the_colours_of_the_page(svg):
    assert "#000000" in svg
    assert PAPER in svg
    element = inline(svg, "one", "what")
    assert "#000000" not in element
    assert PAPER not in element
    assert "currentColor" in element
    assert "var(--paper)" in element


def test_drawings_of_one_page_have_no_identifier_in_common(svg):
    one, other = (set(re.findall(r'id="([^"]+)"', inline(svg, name, "x"))) for name in ("one", "other"))
    assert one
    assert not one & other


def test_every_reference_within_a_drawing_is_answered(svg):
    element = inline(svg, "one", "x")
    ids = set(re.findall(r'id="([^"]+)"', element))
    references = set(re.findall(r'href="#([^"]+)"', element)) | set(re.findall(r"url\(#([^)]+)\)", element))
    assert references
    assert references <= ids


def test_a_drawing_has_words_for_those_who_do_not_see_it(svg):
    assert 'role="img" aria-label="a &quot;b&quot; &lt;c"' in inline(svg, "one", 'a "b" <c')


def conclusions(runs=("natural", "my_pgd")) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "run": runs,
            "strongest": ["benign/I_B/split", "adversarial/I_A/split"],
            "accuracy": [0.55, 0.65],
            "accuracy_low": [0.54, 0.63],
            "accuracy_high": [0.56, 0.67],
            "difference": [float("nan"), 0.1],
            "difference_low": [float("nan"), 0.08],
            "difference_high": [float("nan"), 0.12],
            "p_holm": [float("nan"), 0.0004],
        }
    )


def with_areas(table: pd.DataFrame) -> pd.DataFrame:
    """The AUC of two attacks on each run, of which that on adversarial inputs is higher."""
    areas = [
        {
            "run": run,
            "signal": signal,
            "strategy": strategy,
            "quantity": "auc",
            "mean": mean,
            "low": mean - 0.02,
            "high": mean + 0.02,
        }
        for run in ("natural", "my_pgd")
        for signal, strategy, mean in (("benign", "I_B", 0.6), ("adversarial", "I_A", 0.7))
    ]
    return pd.concat([table, pd.DataFrame(areas)], ignore_index=True)


def test_the_leaderboard_begins_with_the_run_that_leaks_most():
    robustness, membership = robustness_and_membership()
    rows = leaderboard(robustness, with_areas(over_seeds(membership)), conclusions())
    assert [row["run"].text for row in rows] == ["my_pgd", "natural"]
    first = rows[0]
    assert (first["strongest attack"].value, first["strongest attack"].text) == (0.65, "65.0")
    assert first["strongest attack"].interval == "63.0 to 67.0"
    assert first["strongest attack"].detail == "I_A on adversarial inputs, split"
    assert (first["difference from natural"].text, first["difference from natural"].interval) == (
        "+10.0",
        "+8.0 to +12.0",
    )
    assert first["difference from natural"].detail == "p < 0.001"
    assert first["clean accuracy"].text == "85.0"
    assert first["I_A"].text == "71.0"
    assert (first["highest AUC"].text, first["highest AUC"].detail) == ("70.0", "I_A on adversarial inputs")
    assert rows[1]["difference from natural"].value is None


def test_the_attack_on_own_bounds_is_that_of_the_paper():
    assert attack_in_words("own_verified/I_V_own/split") == "I_V on the bounds of its training, split"
    assert attack_in_words("noisy/log_odds") == "log odds on noisy"


def test_columns_without_a_value_are_left_out_and_all_rows_have_the_same():
    robustness, membership = robustness_and_membership()
    rows = leaderboard(robustness, over_seeds(membership), conclusions())
    assert len({tuple(row) for row in rows}) == 1
    assert not {"verified accuracy", "I_V", "highest AUC", "TPR at 1 % FPR"} & set(rows[0])


def test_columns_have_one_order_whichever_run_leaks_most():
    robustness, membership = robustness_and_membership()
    first, second = conclusions(), conclusions()
    second["accuracy"] = second.accuracy.to_numpy()[::-1]
    orders = [list(leaderboard(robustness, over_seeds(membership), table)[0]) for table in (first, second)]
    assert orders[0] == orders[1]
    assert orders[0][:3] == ["run", "strongest attack", "difference from natural"]


def test_a_table_page_comes_back_as_its_table_and_its_words(tmp_path):
    path = tmp_path / "t.html"
    path.write_text(render_text("html", pd.DataFrame({"run": ["a < b"]}), "One & two.\n\nThree."))
    page = read_table_page(path)
    assert page.words == ["One & two.", "Three."]
    assert page.table.startswith("<table")
    assert page.table.endswith("</table>")
    assert "a &lt; b" in page.table


def test_a_caption_is_filled_in_and_becomes_html():
    template = "On **{{ snakemake.wildcards.dataset }}**, {{ snakemake.params.spec.quotes.adversarial }}.\n\nSeeds: {{ snakemake.config.seeds | join(', ') }}."
    html = caption(template, {"dataset": "d"}, {"spec": {"quotes": {"adversarial": "PGD"}}}, {"seeds": [0, 1]})
    assert "<strong>d</strong>, PGD." in html
    assert html.count("<p>") == 2
    assert "Seeds: 0, 1." in html


@pytest.mark.parametrize("name", [*FIGURES])
def test_every_caption_of_a_figure_is_filled_in_without_a_verified_signal(name):
    kind = resolve_name(FIGURES[name])
    spec = {"quotes": {"adversarial": "PGD of 3 steps"} if "adversarial" in kind.quotes else {}, "runs": ["natural"]}
    template = (ROOT / "report" / f"{name}.rst").read_text()
    html = caption(template, {"dataset": "digits"}, {"spec": spec}, {"seeds": [0], "shadow_models": 8})
    assert "digits" in html
    assert ("Shadow models for each run and seed: 8" in html) == (name == "attack_auc")
    assert ("PGD of 3 steps" in html) == ("adversarial" in kind.quotes)
    assert "Undefined" not in html
    assert "None" not in html


def test_wall_times_are_of_one_seed(tmp_path):
    files = []
    for seed, seconds in ((0, 10.0), (1, 20.0)):
        files.append(tmp_path / f"{seed}.json")
        files[-1].write_text(json.dumps({"spec": {"seed": seed}, "seconds": seconds}))
    table = wall_times({"pgd": {"train": files, "signals": [*files, files[0]]}})
    assert table.to_dict("records") == [{"run": "pgd", "training (s)": "15", "signals (s)": "20"}]


def test_what_models_have_in_common_is_said_once(tmp_path):
    for number, device in enumerate(("cpu", "cpu", "H100")):
        record = {"device": device, "git_revision": "abc", "versions": {"torch": "2.11.0"}}
        (tmp_path / f"{number}.json").write_text(json.dumps(record))
    said = provenance([str(tmp_path / f"{number}.json") for number in range(3)])
    assert said == {"device": "cpu, H100", "git revision": "abc", "versions": "torch 2.11.0"}


def test_a_damaged_record_of_a_job_is_named(tmp_path):
    (tmp_path / "spec.json").write_text("{")
    with refused(str(tmp_path / "spec.json")):
        provenance([str(tmp_path / "spec.json")])


def test_names_cannot_write_into_the_page():
    section = Section(anchor="data-x", name="<script>", title="<b>", paragraphs=["<i>"])
    about = {"introduction": "", "leaderboard_note": "", "made_title": "How", "made": {"<u>": "<s>"}, "footer": []}
    page = render_page("t", "q", [section], **about)
    body = page.partition("<body>")[2].partition("<script>\n")[0]
    assert not re.search(r"<(b|i|u|s|script)>", body)
    assert "&lt;script&gt;" in body
