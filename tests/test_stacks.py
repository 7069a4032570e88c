"""Models trained in a stack against the same models trained alone."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from robustmia.data.digits import Digits
from robustmia.data.halves import draw_half
from robustmia.data.records import Records
from robustmia.errors import UserError
from robustmia.registry import METHODS, classes
from robustmia.shadows import train_shadows
from robustmia.signals.benign import Benign
from robustmia.signals.shadows import shadow_logits
from robustmia.stacks import Stack, StackedTrainer, can_be_stacked
from robustmia.training import Trainer
from robustmia.weight_files import save_weights
from test_training import tiny_spec

ALL = Digits(name="digits").load(Path("nowhere"))
RECORDS = Records(ALL.images[:301], ALL.labels[:301], ALL.class_names)
CPU = torch.device("cpu")


def spec(method: str, models: int = 4, **training: object) -> dict:
    settings = {"monitor": None, "augmentation": {}, "epochs": 3, "batch_size": 32, **training}
    whole = tiny_spec(method, **settings)
    del whole["seed"]
    return whole | {"architecture": {"name": "small_cnn", "width": 3}, "models": list(range(models))}


def trained(folder: Path, given: dict, stacked: bool) -> tuple[dict[str, torch.Tensor], list]:
    folder.mkdir(exist_ok=True)
    weights, _, checkpoints = train_shadows(given | {"stacked": stacked}, RECORDS, folder / "c.pt", CPU, "t")
    return weights, checkpoints


@pytest.fixture(autouse=True)
def _default_dtype() -> Iterator[None]:
    yield
    torch.set_default_dtype(torch.float32)


def test_in_float32_they_agree_within_rounding(tmp_path):
    given = spec("pgd", optimizer={"name": "sgd", "learning_rate": 0.05})
    alone, together = (trained(tmp_path / str(stacked), given, stacked)[0] for stacked in (False, True))
    for name, weight in alone.items():
        torch.testing.assert_close(together[name], weight, rtol=1e-3, atol=1e-5, msg=name)


@pytest.mark.parametrize("method", ["natural", "pgd", "trades"])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_model_trained_in_a_stack_is_the_one_trained_alone(tmp_path, method, optimizer, monkeypatch):
    """301 records: halves of 151 and 150, so that there are two stacks. In float64: Adam divides by the size of a gradient, so that
    what float32 rounds near 0 grows.
    """
    monkeypatch.setattr("robustmia.training.to_pixels", lambda images: images.double() / 255.0)
    torch.set_default_dtype(torch.float64)
    given = spec(method, optimizer={"name": optimizer, "learning_rate": 0.01, "weight_decay": 1e-3})
    alone, checkpoints = trained(tmp_path / "alone", given, stacked=False)
    together, stacks = trained(tmp_path / "together", given, stacked=True)
    assert (len(checkpoints), len(stacks)) == (4, 2)
    assert set(alone) == set(together)
    for name, weight in alone.items():
        torch.testing.assert_close(together[name], weight, rtol=1e-7, atol=1e-9, msg=name)
    moved = Trainer(given | {"seed": 1}, RECORDS, draw_half(RECORDS.labels, 0), tmp_path / "x.pt", CPU)
    first = next(iter(moved.model.state_dict()))
    assert not torch.allclose(alone[f"0.{first}"], alone[f"1.{first}"])


@pytest.mark.parametrize(
    ("method", "training", "architecture"),
    [
        ("distributional", {}, {}),
        ("pgd", {"gradient_clip": 1.0}, {}),
        ("pgd", {"augmentation": {"horizontal_flip": True}}, {}),
        ("pgd", {}, {"name": "wide_resnet", "depth": 10, "width": 1}),
    ],
)
def test_what_cannot_be_stacked_is_trained_alone(tmp_path, method, training, architecture):
    given = spec(method, 2, epochs=1, **training)
    given["architecture"] = architecture or given["architecture"]
    trainer = Trainer(given | {"seed": 1}, RECORDS, draw_half(RECORDS.labels, 0), tmp_path / "x.pt", CPU)
    assert not can_be_stacked(trainer)
    assert len(trained(tmp_path / "s", given, stacked=True)[1]) == 2


def test_pgd_on_a_part_of_a_batch_is_not_stacked():
    from robustmia.methods.pgd import PGD

    assert PGD(name="pgd", epsilon=0.1).stackable
    assert not PGD(name="pgd", epsilon=0.1, adversarial_fraction=0.5).stackable


def test_methods_that_are_means_over_images_can_be_stacked():
    needed = {"epsilon": 0.1, "coefficient": 0.1}
    stackable = set()
    for cls in classes(METHODS):
        settings = {key: value for key, value in needed.items() if key in cls.model_fields}
        name = cls.model_fields["name"].annotation.__args__[0]
        stackable |= {name} if cls(name=name, **settings).stackable else set()
    assert stackable == {"natural", "pgd", "trades"}


def test_a_stack_that_was_stopped_goes_on_in_the_middle_of_an_epoch(tmp_path, monkeypatch):
    given = spec("pgd", 2)
    given["models"] = [0, 2]  # halves of one size
    whole, _ = trained(tmp_path / "whole", given, stacked=True)
    descend, done = StackedTrainer._descend, []

    def stopping(self, step, progress):
        done.append(progress.epoch)
        if progress.epoch > 1:
            os.kill(os.getpid(), signal.SIGTERM)
        return descend(self, step, progress)

    monkeypatch.setattr(StackedTrainer, "_descend", stopping)
    with pytest.raises(UserError, match="stopped by SIGTERM after epoch 1 of 3 and step 2 of"):
        trained(tmp_path / "stopped", given, stacked=True)
    monkeypatch.setattr(StackedTrainer, "_descend", lambda *given: done.append(given[2].epoch) or descend(*given))
    resumed, _ = trained(tmp_path / "stopped", given, stacked=True)
    assert done == sorted(set(done))  # no step twice
    for name, weight in whole.items():
        assert torch.equal(resumed[name], weight)


def test_a_stack_is_its_networks_side_by_side():
    trainers = [
        Trainer(spec("natural") | {"seed": seed}, RECORDS, draw_half(RECORDS.labels, 0), Path("x.pt"), CPU)
        for seed in range(3)
    ]
    networks = [trainer.model for trainer in trainers]
    stack, images = Stack(networks), torch.rand(12, 1, 8, 8)
    expected = torch.cat([network(share) for network, share in zip(networks, images.split(4), strict=True)])
    torch.testing.assert_close(stack(images), expected, rtol=1e-4, atol=1e-6)
    stack.weights[0].data += 1
    torch.testing.assert_close(networks[0].state_dict()[stack.names[0]] + 1, stack.weights[0][0])
    stack.put_back(networks)
    torch.testing.assert_close(networks[2].state_dict()[stack.names[0]], stack.weights[0][2])


def test_shadow_models_are_asked_about_every_record_in_its_row(tmp_path):
    given = spec("natural", 2, epochs=1)
    weights, _ = trained(tmp_path / "s", given, stacked=False)
    save_weights(weights, tmp_path / "models.safetensors")
    seen = shadow_logits(given, tmp_path / "models.safetensors", RECORDS, CPU, Benign(name="benign"))
    assert seen.logits.shape == (2, 301, 10)
    assert seen.models.tolist() == [0, 1]
    network = Trainer(given | {"seed": 0}, RECORDS, draw_half(RECORDS.labels, 1), tmp_path / "x.pt", CPU).model
    network.load_state_dict({name.removeprefix("1."): w for name, w in weights.items() if name.startswith("1.")})
    with torch.no_grad():
        expected = network(torch.from_numpy(RECORDS.images).float() / 255)
    np.testing.assert_allclose(seen.logits[1], expected, rtol=1e-4, atol=1e-5)
    assert np.array_equal(np.flatnonzero(seen.inside[1]), draw_half(RECORDS.labels, 1).members)
