"""Shadow models asked about every record."""

from __future__ import annotations

import numpy as np
import torch

from robustmia.files.weights import save_weights
from robustmia.shadow.query import shadow_signals
from robustmia.shadow.split import shadow_splits
from robustmia.shadow.train import train_shadows
from robustmia.signals.adversarial import Adversarial
from robustmia.signals.benign import Benign
from training_helpers import CPU, half_trainer, shadow_records, shadow_spec_of


def test_shadow_models_are_asked_about_every_record_in_its_row(tmp_path):
    spec, records, path = shadow_spec_of("natural", 2, epochs=1), shadow_records(), tmp_path / "models.safetensors"
    weights, _, _ = train_shadows(spec | {"train_batched": False}, records, tmp_path / "c.pt", CPU, "t")
    save_weights(weights, path)
    signals = {"benign": Benign(name="benign"), "adversarial": Adversarial(name="adversarial", epsilon=0.1, steps=1)}
    seen = shadow_signals(spec, path, records, CPU, signals)
    assert list(seen.logits) == list(signals)
    assert seen.logits["benign"].shape == seen.logits["adversarial"].shape == (2, 301, 10)
    network = half_trainer(spec, seed=0, model=1).model
    network.load_state_dict({name.removeprefix("1."): w for name, w in weights.items() if name.startswith("1.")})
    with torch.no_grad():
        expected = network(torch.from_numpy(records.images).float() / 255)
    np.testing.assert_allclose(seen.logits["benign"][1], expected, rtol=1e-4, atol=1e-5)
    assert np.array_equal(np.flatnonzero(seen.in_mask[1]), np.sort(shadow_splits(spec, records)[1].members))
