"""Networks side by side as one, and which trainings can share every step."""

from __future__ import annotations

import torch

from robustmia.config.registry import METHODS, classes
from robustmia.models.ensemble import Ensemble
from robustmia.training.ensemble import ensemble_trainer
from training_helpers import Watched, half_trainer, shadow_spec_of


def test_an_ensemble_is_its_networks_side_by_side():
    networks = [half_trainer(shadow_spec_of("natural"), seed).model for seed in range(3)]
    ensemble, images = Ensemble(networks), torch.rand(12, 1, 8, 8)
    expected = torch.cat([network(share) for network, share in zip(networks, images.split(4), strict=True)])
    torch.testing.assert_close(ensemble(images), expected, rtol=1e-4, atol=1e-6)
    ensemble.weights[0].data += 1
    torch.testing.assert_close(networks[0].state_dict()[ensemble.names[0]] + 1, ensemble.weights[0][0])
    ensemble.copy_to(networks)
    torch.testing.assert_close(networks[2].state_dict()[ensemble.names[0]], ensemble.weights[0][2])


def test_an_ensembles_batches_are_those_of_its_models_one_after_the_other(tmp_path):
    spec = shadow_spec_of("natural", epochs=1)
    shown = {}
    for name in ("first", "second", "both"):
        pair = [half_trainer(spec, seed, tmp_path / f"{name}.pt", model=2 * seed) for seed in (0, 1)]
        training = {"first": pair[0], "second": pair[1]}.get(name) or ensemble_trainer(pair, tmp_path / "e.pt", "both")
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
