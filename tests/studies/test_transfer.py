"""Attacks with shadow models of another kind than the target."""

from __future__ import annotations

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest

from robustmia.config.registry import STRATEGIES
from robustmia.files.signals import ShadowSignals, SignalLogits
from robustmia.inference.attacks.base import load_attacks
from robustmia.inference.over_seeds import measure
from robustmia.inference.record_results import RecordResults
from robustmia.inference.scores import log_odds
from robustmia.inference.settings import AttackSettings
from robustmia.reporting.figures.base import Figure
from robustmia.reporting.figures.style import style
from robustmia.reporting.figures.transfer import draw_transfer
from robustmia.reporting.transfer import transfer_text, transfer_text_table
from robustmia.studies.settings import TRANSFERRED
from robustmia.studies.transfer import ATTACKS, Knowledge, attack_with, losses, transfer_table
from synthetic import ShadowedSignals, evaluated, in_masks

LEAKS = {"benign": 0.3, "adversarial": 0.9, "targeted": 0.6}
ROWS = np.arange(600)
LABELS = np.random.default_rng(0).integers(3, size=600)
"""Of `ShadowedSignals`."""


def attacks() -> list:
    return load_attacks([STRATEGIES[name] for name in TRANSFERRED], AttackSettings())


def test_with_shadow_models_of_its_own_kind_it_is_the_shadow_attack_itself():
    drawn = ShadowedSignals.draw(LEAKS)
    found = attack_with(drawn.target, ROWS, drawn.shadows, LABELS, attacks())
    _, expected = evaluated(drawn.target, shadows=drawn.shadows)
    for key, *_ in ATTACKS.values():
        assert measure(found, key).value == measure(expected, key).value, key


def unlike(drawn: ShadowedSignals) -> ShadowedSignals:
    """The same target, with shadow models whose answers say nothing of their members, at another confidence."""
    random = np.random.default_rng(1)
    logits = {name: 5 * random.normal(size=z.shape).astype(np.float32) for name, z in drawn.shadows.logits.items()}
    return replace(drawn, shadows=replace(drawn.shadows, logits=logits))


@pytest.fixture(scope="module")
def results() -> dict[tuple[str, str], RecordResults]:
    drawn = ShadowedSignals.draw(LEAKS)
    own = attack_with(drawn.target, ROWS, drawn.shadows, LABELS, attacks())
    other = attack_with(drawn.target, ROWS, unlike(drawn).shadows, LABELS, attacks())
    return {("own", "own"): own, ("other", "own"): other, ("other", "other"): other, ("own", "other"): own}


KINDS = [Knowledge("", "own"), Knowledge("epsilon = 1", "other")]


def table_of(results, seeds: int = 3):
    return transfer_table(lambda shadow, target: [results[shadow.run, target.run]] * seeds, KINDS, 600)


def test_the_table_has_every_pair_and_what_is_lost(results):
    table = table_of(results)
    assert len(table) == len(ATTACKS) * 4
    rows = table[(table.attack == "LiRA, adversarial") & (table.target == "own")].set_index("shadow")
    key = ATTACKS["LiRA, adversarial"][0]
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
    found = attack_with(drawn.target, ROWS, drawn.shadows, LABELS, attacks())
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


# ---------------------------------------------------------------- shadow models of other records


def of_other_records(leak: float = 0.9, records: int = 3000) -> tuple[ShadowedSignals, np.ndarray, np.ndarray]:
    """A target of the first half of the records and eight shadow models of the second, the rows of the first half, and all labels."""
    random = np.random.default_rng(2)
    labels, rows, others = random.integers(3, size=records), *np.split(np.arange(records), 2)
    is_member = np.arange(records) < len(rows) // 2
    in_mask = np.zeros((8, records), bool)
    in_mask[:, others] = in_masks(labels[others], 8)

    def logits(members: np.ndarray) -> np.ndarray:
        z = random.normal(size=(*members.shape, 3))
        z[..., np.arange(records), labels] += 1 + leak * members
        return z.astype(np.float32)

    def answers(members: np.ndarray) -> dict[str, np.ndarray]:
        targeted = np.stack([logits(members) for _ in range(3)], axis=-2)
        return {"benign": logits(members), "adversarial": logits(members), "targeted": targeted}

    sides = [labels[rows][is_member[rows]], labels[rows][~is_member[rows]]]
    target = {
        name: SignalLogits(z[rows][is_member[rows]], z[rows][~is_member[rows]], *sides)
        for name, z in answers(is_member).items()
    }
    return ShadowedSignals(target, ShadowSignals(answers(in_mask), in_mask)), rows, labels


def test_shadow_models_of_other_records_give_thresholds_and_the_offline_attacks():
    drawn, rows, labels = of_other_records()
    found = attack_with(drawn.target, rows, drawn.shadows, labels, attacks())
    assert not {name for name in found.attacks if "online" in name}
    from_scratch = {}
    for name in ("benign", "adversarial"):
        odds = np.array([log_odds(z, labels) for z in drawn.shadows.logits[name]])
        outside, members = odds[:, 1500:], drawn.shadows.in_mask[:, 1500:]
        tried = [((outside[members] >= at).mean() - (outside[~members] >= at).mean(), at) for at in np.unique(outside)]
        from_scratch[name] = max(tried)[1]
        file = drawn.target[name]
        decided = log_odds(np.concatenate([file.members, file.nonmembers]), labels[rows]) >= from_scratch[name]
        strategy = "I_B" if name == "benign" else "I_A"
        assert np.array_equal(found.decisions_of(f"{name}/{strategy}/shadow"), decided)
        z = (log_odds(np.concatenate([file.members, file.nonmembers]), labels[rows]) - odds[:, :1500].mean(axis=0)) / (
            odds[:, :1500].std(axis=0, ddof=1) ** 2
        ).mean() ** 0.5
        assert np.allclose(found.scores_of(f"{name}/lira_offline"), z)
    for attack, keys in ATTACKS.items():
        value = measure(found, keys[-1]).value
        assert 0.55 < value < 0.85, attack


def test_records_that_hardly_any_shadow_model_was_trained_on_are_left_out():
    drawn, rows, labels = of_other_records()
    spoilt = {name: z.copy() for name, z in drawn.shadows.logits.items()}
    in_mask = drawn.shadows.in_mask.copy()
    in_mask[:, 2000:] = False
    in_mask[0, 2500:] = True
    for z in spoilt.values():
        z[:, 2000:] = 0
    kept = np.arange(2000)
    few = ShadowSignals(
        {name: z[:, :2000] for name, z in drawn.shadows.logits.items()}, drawn.shadows.in_mask[:, :2000]
    )
    expected = attack_with(drawn.target, rows, few, labels[kept], attacks())
    found = attack_with(drawn.target, rows, ShadowSignals(spoilt, in_mask), labels, attacks())
    for _, *keys in ATTACKS.values():
        for key in keys:
            if "rmia" not in key[1]:
                assert measure(found, key).value == measure(expected, key).value


def test_nothing_is_found_where_members_are_answered_as_others():
    drawn, rows, labels = of_other_records(leak=0.0)
    found = attack_with(drawn.target, rows, drawn.shadows, labels, attacks())
    for attack, keys in ATTACKS.items():
        assert measure(found, keys[-1]).value == pytest.approx(0.5, abs=0.05), attack


def test_shadow_models_of_other_classes_have_thresholds_and_classifiers_too():
    drawn, rows, labels = of_other_records()
    labels = labels.copy()
    labels[1500:] = 2 - (labels[1500:] > 0)
    own = {
        name: replace(file, member_labels=0 * file.member_labels, nonmember_labels=0 * file.nonmember_labels)
        for name, file in drawn.target.items()
    }
    labels[:1500] = 0
    found = attack_with(own, rows, drawn.shadows, labels, attacks())
    for keys in ATTACKS.values():
        assert measure(found, keys[-1]) is not None


def test_there_are_no_results_where_some_records_only_are_among_those_of_shadow_models():
    drawn, rows, labels = of_other_records()
    assert attack_with(drawn.target, rows + 700, drawn.shadows, labels, attacks()) is None


def test_the_table_names_the_form_of_each_attack_and_leaves_out_what_there_is_not(results):
    drawn, rows, labels = of_other_records()
    without = attack_with(drawn.target, rows, drawn.shadows, labels, attacks())
    known, other, partly = Knowledge("", "own"), Knowledge("", "own", other_records=True), Knowledge("", "partly")
    there = {known: results["own", "own"], other: without, partly: None}
    table = transfer_table(lambda shadow, target: [there[shadow] if target is known else None] * 3, list(there), 3000)
    assert set(table.shadow) == {"own", "own, other records"}
    forms = table[table.target == "own"].set_index(["attack", "shadow"]).strategy
    assert (forms["LiRA, adversarial", "own"], forms["LiRA, adversarial", "own, other records"]) == (
        "lira_online",
        "lira_offline",
    )
    lost = losses(table)
    assert lost.other_records.all()
    words = transfer_text(lost, 3)
    assert "with shadow models of other records" in words[0]
    assert "offline forms" in words[-1]
    with style(Figure()):
        plt.close(draw_transfer(table))
