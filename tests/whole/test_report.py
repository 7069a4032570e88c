"""The report in a browser, as people read it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from browser import look_at
from helpers import Workflow

SIZES = {"a wide window": (1400, 900, False), "a phone": (390, 844, False), "paper": (688, 1000, True)}
LARGEST = 5 * 2**20


def report_of(workflow: Workflow) -> Path:
    return workflow.folder / "results" / "smoke" / "report.html"


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", ["smoke", "studied"])
def test_everything_is_drawn_and_nothing_is_cut_off(name, size, request, tmp_path):
    page = report_of(request.getfixturevalue(name))
    found = look_at(page, tmp_path, *SIZES[size])
    assert found["errors"] == []
    assert found["svgs"] >= 9
    assert found["empty"] == found["cut"] == found["repeated"] == []
    assert found["wide"] <= 0
    assert found["uses"] == 0  # letters without a shape
    if size != "a phone":
        assert found["scrolled"] == []


def test_links_lead_to_files_and_places_that_are_there(studied, tmp_path):
    page = report_of(studied)
    found = look_at(page, tmp_path, 1400, 900)
    assert found["broken"] == found["external"] == []
    assert len(found["files"]) > 30
    assert [file for file in found["files"] if not (page.parent / file).is_file()] == []
    assert {Path(file).suffix for file in found["files"]} == {".csv", ".pdf", ".yaml"}


def test_the_leaderboard_sorts_by_any_column(smoke, tmp_path):
    orders = look_at(report_of(smoke), tmp_path, 1400, 900)["orders"]
    assert {"run", "strongest attack", "difference from natural", "clean accuracy", "I_A", "highest AUC"} <= set(orders)
    for name, presses in orders.items():
        (first, direction), (second, other) = presses
        assert {direction, other} == {"ascending", "descending"}
        for values, way in ((first, direction), (second, other)):
            given = [value if name == "run" else float(value) for value in values if value != ""]
            assert given == sorted(given, reverse=way == "descending"), name
            assert values[len(given) :] == [""] * (len(values) - len(given)), name  # empty ones last
    assert sorted(orders["strongest attack"][0][0]) == sorted(orders["strongest attack"][1][0])


def test_it_is_light_or_dark(smoke, tmp_path):
    before, pressed, again = look_at(report_of(smoke), tmp_path, 1400, 900)["colours"]
    assert pressed != before
    assert again == before
    page = report_of(smoke).read_text()
    assert "#000000" not in page.partition("<main")[2].partition("<pre>")[0]  # black would be invisible on a dark page


def test_it_needs_no_other_file_and_is_small(smoke):
    page = report_of(smoke).read_text()
    assert len(page.encode()) < LARGEST
    assert not re.search(r"@import|<link|<iframe|<script src|url\((?!#)", page)


def test_it_says_how_it_was_made(smoke):
    page = report_of(smoke).read_text()
    for words in ("git revision", "torch 2.", "Wall times", "training (s)", "Settings of the data set", "steps: 3"):
        assert words in page


@pytest.mark.parametrize("size", SIZES)
def test_an_audit_has_a_page_with_its_figures_and_members(audited, size, tmp_path):
    for name, images in (("their_predictions", 0), ("their_checkpoint", 12)):
        page = audited.folder / "results" / "audit" / name / "report.html"
        found = look_at(page, tmp_path, *SIZES[size])
        assert found["errors"] == found["empty"] == found["cut"] == found["broken"] == found["external"] == []
        assert found["wide"] <= 0
        assert found["svgs"] == (3 if images else 2)  # verified margins of the checkpoint alone
        assert page.read_text().count("data:image/png;base64") >= images
        assert [file for file in found["files"] if not (page.parent / file).is_file()] == []
        values = [float(value) for value in found["orders"]["accuracy"][0][0]]
        assert values == sorted(values, reverse=found["orders"]["accuracy"][0][1] == "descending")
