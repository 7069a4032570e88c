"""Attacks with shadow models of another kind than the target."""

from __future__ import annotations

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest

from robustmia.config.registry import STRATEGIES
from robustmia.inference.attacks.base import load_attacks
from robustmia.inference.over_seeds import measure
from robustmia.inference.record_results import RecordResults
from robustmia.inference.settings import AttackSettings
from robustmia.reporting.figures.base import Figure
from robustmia.reporting.figures.style import style
from robustmia.reporting.figures.transfer import draw_transfer
from robustmia.reporting.transfer import transfer_text, transfer_text_table
from robustmia.studies.settings import TRANSFERRED
from robustmia.studies.transfer import ATTACKS, Knowledge, attack_with, losses, transfer_table
from synthetic import ShadowedSignals, evaluated

LEAKS = {"benign": 0.3, "adversarial": 0.9, "targeted": 0.6}
ROWS = np.arange(600)


def attacks() -> list:
    return load_attacks([STRATEGIES[name] for name in TRANSFERRED], AttackSettings())


def test_with_shadow_models_of_its_own_kind_it_is_the_shadow_attack_itself():
    drawn = ShadowedSignals.draw(LEAKS)
    found = attack_with(drawn.target, ROWS, drawn.shadows, attacks())
    _, expected = evaluated(drawn.target, shadows=drawn.shadows)
    for key in ATTACKS.values():
        assert measure(found, key).value == measure(expected, key).value, key


def unlike(drawn: ShadowedSignals) -> ShadowedSignals:
    """The same target, with shadow models whose answers say nothing of their members, at another confidence."""
    random = np.random.default_rng(1)
    logits = {name: 5 * random.normal(size=z.shape).astype(np.float32) for name, z in drawn.shadows.logits.items()}
    return replace(drawn, shadows=replace(drawn.shadows, logits=logits))


@pytest.fixture(scope="module")
def results() -> dict[tuple[str, str], RecordResults]:
    drawn = ShadowedSignals.draw(LEAKS)
    own = attack_with(drawn.target, ROWS, drawn.shadows, attacks())
    other = attack_with(drawn.target, ROWS, unlike(drawn).shadows, attacks())
    return {("own", "own"): own, ("other", "own"): other, ("other", "other"): other, ("own", "other"): own}


KINDS = [Knowledge("", "own"), Knowledge("epsilon = 1", "other")]


def table_of(results, seeds: int = 3):
    return transfer_table(lambda shadow, target: [results[shadow.run, target.run]] * seeds, KINDS, 600)


def test_the_table_has_every_pair_and_what_is_lost(results):
    table = table_of(results)
    assert len(table) == len(ATTACKS) * 4
    rows = table[(table.attack == "LiRA, adversarial") & (table.target == "own")].set_index("shadow")
    key = ATTACKS["LiRA, adversarial"]
    assert rows.loc["own"]["mean"] == measure(results["own", "own"], key).value
    assert rows.loc["other, epsilon = 1"]["mean"] == measure(results["other", "own"], key).value
    assert np.isnan(rows.loc["own"].difference)
    assert rows.loc["other, epsilon = 1"].difference == pytest.approx(
        rows.loc["other, epsilon = 1"]["mean"] - rows.loc["own"]["mean"]
    )
    assert rows.loc["other, epsilon = 1"].difference < -0.05


def test_losses_and_words_are_those_of_the_table(results):
    table = table_of(results)
    row = losses(table).set_index("attack").loc["LiRA, adversarial"]
    part = table[table.attack == "LiRA, adversarial"]
    assert row.lost == pytest.approx(-part.difference.mean())
    assert (row.pairs, row.worst_shadow, row.worst_target) == (2, "other, epsilon = 1", "own")
    words = transfer_text(losses(table), 3)
    assert len(words) == len(ATTACKS) + 1
    assert "shadow models of other, epsilon = 1 against own" in words[0]
    assert "there are no intervals" in transfer_text(losses(table_of(results, seeds=1)), 1)[-1]
    assert len(transfer_text_table(table)) == 2 * len(ATTACKS)


def test_attacks_that_a_target_lacks_are_left_out():
    drawn = ShadowedSignals.draw({"benign": 0.3, "adversarial": 0.9})
    found = attack_with(drawn.target, ROWS, drawn.shadows, attacks())
    table = transfer_table(lambda *_: [found], KINDS[:1], 600)
    assert "I_T, classifier" not in set(table.attack)
    assert len(table) == len(ATTACKS) - 1
    assert losses(table).empty


def test_the_map_has_every_number(results):
    table = table_of(results)
    with style(Figure()):
        drawing = draw_transfer(table)
        drawing.canvas.draw()
    maps = [axis for axis in drawing.axes if axis.images]
    assert len(maps) == len(ATTACKS)
    shown = sorted(text.get_text() for axis in maps for text in axis.texts)
    assert shown == sorted(f"{100 * mean:.1f}" for mean in table["mean"])
    low, high = maps[0].images[0].get_clim()
    assert (low + high) / 2 == pytest.approx(50)
    plt.close(drawing)
