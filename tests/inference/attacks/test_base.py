"""What all attacks with shadow models share: every one of the registry, on data whose answers are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from robustmia.inference.attacks.base import ShadowAttack
from robustmia.inference.attacks.rmia import rmia_offline
from synthetic import all_attacks, area, real_world, stand_ins, with_shadows, world

ATTACKS = {attack.name: attack for attack in all_attacks() if isinstance(attack, ShadowAttack)}


def test_the_attacks_are_those_of_the_literature():
    assert set(ATTACKS) == {
        *("lira_online", "lira_offline", "rmia_online", "rmia_offline", "privacy_risk"),
    }


@pytest.mark.parametrize("name", ATTACKS)
def test_scores_without_information_say_nothing(name):
    areas = []
    for seed in range(4):
        view, is_member = world(0.0, models=16, seed=seed)
        areas.append(area(ATTACKS[name].prepare(stand_ins(view))(view), is_member))
    assert np.mean(areas) == pytest.approx(0.5, abs=0.012)


@pytest.mark.parametrize("name", ATTACKS)
def test_saturated_and_tied_scores_stay_numbers(name):
    view, _ = world(1.0, records=200, models=8)
    extreme = with_shadows(view, scores=np.where(view.shadows.scores > 0, 1e6, -1e6))
    saturated = replace(extreme, score=np.where(view.score > 0, 1e6, -1e6))
    assert np.isfinite(ATTACKS[name].prepare(stand_ins(saturated))(saturated)).all()
    assert np.isfinite(rmia_offline(saturated, 0.5, 2.0)).all()


@pytest.mark.parametrize("name", [name for name in ATTACKS if name != "rmia_offline"])  # whose offset is tuned on these
@pytest.mark.parametrize(("models", "part"), [(6, 0.5), (8, 0.5), (10, 0.787)])
def test_a_shadow_model_in_the_targets_place_does_not_give_its_members_away(name, models, part):
    """Without a leak: as many of the others must have been trained on one of its members as on one of its non-members."""
    areas = []
    for seed in range(3):
        view, _ = real_world(3000, models, seed, part)
        scores = ATTACKS[name].prepare(stand_ins(view))
        areas += [area(scores(one), ~one.population) for one in stand_ins(view)]
    assert np.mean(areas) == pytest.approx(0.5, abs=0.012)
