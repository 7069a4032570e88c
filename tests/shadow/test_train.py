"""Shadow models trained together against the same models trained alone."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from robustmia.errors import UserError
from robustmia.methods.pgd import PGD
from robustmia.shadow.train import train_shadows
from robustmia.training import many
from robustmia.training.ensemble import ensemble_trainer
from training_helpers import CPU, half_trainer, shadow_records, shadow_spec_of


def trained(folder: Path, spec: dict, train_batched: bool) -> dict[str, Tensor]:
    """The weights of shadow models that are trained together, if their method allows it, or one after the other."""
    folder.mkdir(exist_ok=True)
    whole, together = spec | {"train_batched": train_batched}, []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(many, "ensemble_trainer", lambda *given: together.append(given) or ensemble_trainer(*given))
        weights, _, checkpoints = train_shadows(whole, shadow_records(), folder / "c.pt", CPU, "t")
    assert len(together) == (train_batched and spec["method"]["settings"]["name"] != "duality")
    assert len(checkpoints) == len(spec["models"])
    return weights


@pytest.fixture
def float64(monkeypatch) -> Iterator[None]:
    """Adam divides by the size of a gradient, so that what float32 rounds near 0 grows."""
    monkeypatch.setattr("robustmia.training.batches.to_pixels", lambda images: images.double() / 255.0)
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def test_in_float32_they_agree_within_rounding(tmp_path):
    spec = shadow_spec_of("pgd", optimizer={"name": "sgd", "learning_rate": 0.05})
    alone, together = (trained(tmp_path / str(batched), spec, batched) for batched in (False, True))
    for name, weight in alone.items():
        torch.testing.assert_close(together[name], weight, rtol=1e-3, atol=1e-5, msg=name)


WIDE_RESNET = {"name": "wide_resnet", "depth": 10, "width": 1}
BALL = {"epsilon": 0.05, "epsilon_schedule": {"rise_epochs": 1}}
ADAM = {"optimizer": {"name": "adam", "learning_rate": 0.01, "weight_decay": 1e-3}}
AT_ONCE = {
    "natural": {},
    "pgd": {},
    "trades": {},
    "distributional": {},
    "ibp": {"method_settings": BALL | {"epsilon_schedule": {"start_epoch": 0.5, "rise_epochs": 1}}},
    "abstract_interpretation": {"method_settings": BALL | {"clean_epochs": 0.5}},
    "pgd on a part of each batch": {"method_settings": {"epsilon": 0.05, "steps": 2, "adversarial_fraction": 0.4}},
    "natural with adam": ADAM,
    "pgd with adam": ADAM,
    "pgd, clipped": {"gradient_clip": 0.3},
    "ibp, clipped": {"method_settings": BALL, "gradient_clip": 0.3},
    "natural, augmented": {"augmentation": {"crop_padding": 1, "horizontal_flip": True}},
    "trades with batch normalisation": {"architecture": WIDE_RESNET},
    "ibp with batch normalisation": {"architecture": WIDE_RESNET, "method_settings": BALL},
    "distributional, normalised": {
        "architecture": {"name": "small_cnn", "width": 3, "input_mean": (0.3,), "input_std": (0.3,)}
    },
}


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("case", AT_ONCE)
def test_a_model_trained_in_an_ensemble_is_the_one_trained_alone(tmp_path, case):
    settings = {"optimizer": {"name": "sgd", "learning_rate": 0.01, "weight_decay": 1e-3}, **AT_ONCE[case]}
    spec = shadow_spec_of(case.split(",")[0].split(" ")[0], **settings)
    alone = trained(tmp_path / "alone", spec, train_batched=False)
    together = trained(tmp_path / "together", spec, train_batched=True)
    assert set(alone) == set(together)
    for name, weight in alone.items():
        torch.testing.assert_close(together[name], weight, rtol=1e-7, atol=1e-9, msg=name)
    first = next(iter(half_trainer(spec).model.state_dict()))
    assert not torch.allclose(alone[f"0.{first}"], alone[f"1.{first}"])


def test_duality_is_trained_one_model_after_the_other(tmp_path):
    spec = shadow_spec_of("duality", epochs=1, method_settings={"epsilon": 0.05, "projections": 3}) | {"models": [0, 2]}
    assert len(trained(tmp_path / "s", spec, train_batched=True)) == 2 * 8


def test_an_ensemble_that_was_stopped_goes_on_in_the_middle_of_an_epoch(tmp_path, monkeypatch):
    spec = shadow_spec_of("pgd") | {"models": [0, 2]}
    whole = trained(tmp_path / "whole", spec, train_batched=True)
    loss, done = PGD.loss, []

    def stopping(self, model, images, labels, progress, generator):
        done.append(progress.epoch)
        if progress.epoch > 1:
            os.kill(os.getpid(), signal.SIGTERM)
        return loss(self, model, images, labels, progress, generator)

    monkeypatch.setattr(PGD, "loss", stopping)
    with pytest.raises(UserError) as caught:
        trained(tmp_path / "stopped", spec, train_batched=True)
    assert all(said in str(caught.value) for said in ("SIGTERM", "epoch 1 of 3", "step 2 of"))
    monkeypatch.setattr(PGD, "loss", lambda *given: done.append(given[4].epoch) or loss(*given))
    shutil.copytree(tmp_path / "stopped", tmp_path / "alone")
    resumed = trained(tmp_path / "stopped", spec, train_batched=True)
    assert done == sorted(set(done))  # no step twice
    for name, weight in whole.items():
        assert torch.equal(resumed[name], weight)
    done.clear()
    alone = trained(tmp_path / "alone", spec | {"models": [2]}, train_batched=False)
    assert min(done) > 1
    for name, weight in alone.items():
        torch.testing.assert_close(weight, whole[name], rtol=1e-3, atol=1e-5)
