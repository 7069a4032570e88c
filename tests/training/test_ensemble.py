"""Networks side by side as one, and which trainings can share every step."""

from __future__ import annotations

import pytest
import torch

from robustmia.config.registry import METHODS, classes
from robustmia.models.ensemble import Ensemble
from robustmia.training.ensemble import ensemble_trainer
from robustmia.training.loop import Trainer
from training_helpers import CPU, Watched, half_trainer, shadow_spec_of


def test_an_ensemble_is_its_networks_side_by_side():
    networks = [half_trainer(shadow_spec_of("natural"), seed).model for seed in range(3)]
    ensemble, images = Ensemble(networks), torch.rand(12, 1, 8, 8)
    expected = torch.cat([network(share) for network, share in zip(networks, images.split(4), strict=True)])
    torch.testing.assert_close(ensemble(images), expected, rtol=1e-4, atol=1e-6)
    ensemble.weights[0].data += 1
    torch.testing.assert_close(networks[0].state_dict()[ensemble.names[0]] + 1, ensemble.weights[0][0])
    networks[2].load_state_dict(ensemble.state_of(2))
    torch.testing.assert_close(networks[2].state_dict()[ensemble.names[0]], ensemble.weights[0][2])
    ensemble.load_states([networks[2].state_dict()] * 3)
    torch.testing.assert_close(ensemble(images[:3]), networks[2](images[:3]))


def test_an_ensembles_batches_are_those_of_its_models_one_after_the_other(tmp_path):
    spec = shadow_spec_of("natural", epochs=1)
    shown = {}
    for name in ("first", "second", "both"):
        pair = [half_trainer(spec, seed, tmp_path / f"{name}.pt", model=2 * seed) for seed in (0, 1)]
        training = {"first": pair[0], "second": pair[1]}.get(name) or ensemble_trainer(pair, "both")
        batches = shown[name] = []
        Watched(training, lambda _, *batch, batches=batches: batches.append(batch))
        training.run()
    for first, second, both in zip(shown["first"], shown["second"], shown["both"], strict=True):
        assert all(torch.equal(torch.cat(parts), joined) for *parts, joined in zip(first, second, both, strict=True))


def test_all_methods_but_duality_are_batchable():
    """Its estimates take one random stream through the network."""
    needed = {"epsilon": 0.1, "inverse_gamma": 0.1}
    batchable = set()
    for name, cls in zip(METHODS, classes(METHODS), strict=True):
        settings = {key: value for key, value in needed.items() if key in cls.model_fields}
        batchable |= {name} if cls(name=name, **settings).batchable else set()
    assert batchable == set(METHODS) - {"duality"}


@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_models_go_on_from_the_last_state_that_all_have(tmp_path, name):
    """One is an epoch ahead, as when a process is killed between the files of two: then the state before counts for it."""
    optimizer = {"name": name, "learning_rate": 0.01}
    spec = shadow_spec_of("natural", epochs=3, optimizer=optimizer, schedule={"name": "constant"})

    def pair(folder: str, epochs: int) -> Trainer:
        some = [half_trainer(spec, seed, tmp_path / folder / f"{seed}.pt", model=2 * seed) for seed in (0, 1)]
        both = ensemble_trainer(some, "both")
        both.settings = both.settings.model_copy(update={"epochs": epochs})
        return both

    whole, _ = pair("whole", 3).run()
    pair("cut", 2).run()
    last, before = tmp_path / "cut" / "1.pt", tmp_path / "cut" / "1.before.pt"
    last.unlink()
    before.rename(last)
    resumed = pair("cut", 3)
    at = resumed.checkpoint.restore(resumed.model, resumed.optimizer, CPU)
    assert (at.epoch, at.steps) == (1, 0)
    network, history = pair("cut", 3).run()
    assert len(history) == 3
    for number in range(2):
        for key, value in whole.state_of(number).items():
            assert torch.equal(network.state_of(number)[key], value), key
    last.unlink()
    (tmp_path / "cut" / "1.before.pt").unlink()
    assert resumed.checkpoint.restore(resumed.model, resumed.optimizer, CPU).epoch == 0
