"""Differentially private training: gradients against a loop over images, and epsilon against Opacus."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from pydantic import ValidationError
from torch.nn.functional import cross_entropy

from helpers import small_batch, small_network
from robustmia.data.digits import Digits
from robustmia.data.split import draw_split
from robustmia.errors import UserError
from robustmia.inference.metrics import auc
from robustmia.inference.scores import log_odds
from robustmia.methods.base import Progress
from robustmia.methods.pgd import PGD
from robustmia.models.device import to_device, to_pixels
from robustmia.models.networks.base import build_network
from robustmia.models.networks.wide_resnet import WideResNet
from robustmia.settings import SplitSettings
from robustmia.training.loop import Trainer
from robustmia.training.privacy import private_gradients, require_private, spent_epsilon
from robustmia.training.settings import PrivacySettings, TrainingSettings
from training_helpers import CPU, tiny_spec, trainer

NETWORK = {"name": "small_cnn", "width": 3}


@pytest.mark.parametrize(
    ("probability", "noise", "steps", "delta", "epsilon"),
    [
        (64 / 898, 1.0, 900, 1e-4, 15.644929811830137),
        (0.01, 1.1, 10_000, 1e-5, 5.654308000149469),
        (1 / 15, 4.0, 300, 1e-5, 1.2416051084834598),
        (1.0, 8.0, 50, 1e-6, 4.558491054990902),
        (256 / 60_000, 0.7, 14_000, 1e-5, 7.448730010528396),
        (1 / 14, 20.0, 840, 1e-4, 0.3257091505377889),
    ],
)
def test_epsilon_is_that_of_opacus(probability, noise, steps, delta, epsilon):
    """`opacus.accountants.analysis.rdp` of Opacus 1.6.0 with the orders 2 to 256."""
    settings = PrivacySettings(noise_multiplier=noise, delta=delta)
    assert spent_epsilon(settings, probability, steps) == pytest.approx(epsilon, rel=1e-9)


def test_epsilon_rises_with_steps_and_falls_with_noise():
    spent = [spent_epsilon(PrivacySettings(noise_multiplier=noise), 0.1, 100) for noise in (1.0, 2.0, 4.0)]
    assert spent == sorted(spent, reverse=True)
    steps = [spent_epsilon(PrivacySettings(noise_multiplier=1.0), 0.1, count) for count in (0, 1, 10, 100)]
    assert steps[0] == 0.0
    assert steps == sorted(steps)


@pytest.mark.parametrize("most", [0.5, 5.0, 1e6])
def test_gradients_without_noise_are_the_clipped_ones_of_a_loop(most):
    model, (images, labels) = small_network(), small_batch()
    expected = [torch.zeros_like(weight) for weight in model.parameters()]
    for image, label in zip(images, labels, strict=True):
        own = torch.autograd.grad(cross_entropy(model(image[None]), label[None]), list(model.parameters()))
        norm = torch.cat([part.flatten() for part in own]).norm()
        for total, part in zip(expected, own, strict=True):
            total += part * min(1.0, most / norm.item())
    settings = PrivacySettings(noise_multiplier=1e-12, max_gradient_norm=most)
    private_gradients(model, images, labels, settings, 10.0, torch.Generator().manual_seed(0))
    for weight, total in zip(model.parameters(), expected, strict=True):
        torch.testing.assert_close(weight.grad, total / 10, rtol=1e-4, atol=1e-6)


def test_noise_has_the_standard_deviation_that_is_asked_for():
    """Of a batch without images nothing else is left."""
    model, (images, labels) = small_network(), small_batch(count=0)
    settings = PrivacySettings(noise_multiplier=3.0, max_gradient_norm=0.5)
    private_gradients(model, images, labels, settings, 4.0, torch.Generator().manual_seed(0))
    noise = torch.cat([weight.grad.flatten() for weight in model.parameters()])
    assert noise.std().item() == pytest.approx(3.0 * 0.5 / 4.0, rel=0.05)
    assert abs(noise.mean().item()) < 4 * noise.std().item() / len(noise) ** 0.5


def test_a_private_training_draws_each_record_with_the_same_probability(tmp_path):
    spec = tiny_spec("natural", NETWORK, privacy={"noise_multiplier": 1.0})
    batches = trainer(spec, tmp_path / "c.pt").batches
    sizes = [len(batch.labels) for epoch in range(50) for batch in batches.epoch(epoch, 0, [])]
    assert (batches.steps, batches.probability, batches.expected) == (4, 0.25, 12.5)
    assert len(set(sizes)) > 5
    assert sum(sizes) / len(sizes) == pytest.approx(12.5, abs=0.7)


@pytest.mark.parametrize("method", ["natural", "pgd"])
def test_a_private_training_says_what_it_spent(tmp_path, method):
    spec = tiny_spec(method, NETWORK, privacy={"noise_multiplier": 1.0, "delta": 1e-3})
    _, history = trainer(spec, tmp_path / "c.pt").run()
    expected = [
        spent_epsilon(PrivacySettings(noise_multiplier=1.0, delta=1e-3), 0.25, 4 * epoch) for epoch in range(1, 5)
    ]
    assert history.privacy_epsilon.tolist() == pytest.approx(expected)


@pytest.mark.parametrize("method", ["natural", "pgd"])
def test_steps_that_drew_no_image_are_steps_of_noise(tmp_path, method):
    """Of 50 steps an epoch with one image each on average, a third are empty."""
    training = trainer(tiny_spec(method, NETWORK, batch_size=1, privacy={"noise_multiplier": 1.0}), tmp_path / "c.pt")
    assert any(not len(batch.labels) for batch in training.batches.epoch(0, 0, []))
    model, history = training.run()
    assert history.loss.notna().all()
    assert all(weight.isfinite().all() for weight in model.parameters())


def leakage(folder: Path, **training: object) -> tuple[float, float]:
    """The area under the ROC curve of log odds, of 150 members of digits against 600 others, and its distance from 1/2 in standard errors."""
    digits = Digits(name="digits").load(Path("nowhere"))
    split = draw_split(digits, SplitSettings(member_fraction=0.5, max_members=150, max_nonmembers=600), seed=0)
    settings = {"epochs": 40, "batch_size": 30, "augmentation": {}, "monitor": None, "schedule": {"name": "constant"}}
    spec = tiny_spec("natural", {"name": "small_cnn", "width": 4}, **settings, **training)
    model, _ = Trainer.of_spec(spec, digits, split, folder / "c.pt", CPU, "t").run()
    scores = []
    for rows in (split.members, split.nonmembers):
        images, labels = to_device(digits, rows, CPU)
        with torch.no_grad():
            scores.append(log_odds(model(to_pixels(images)).numpy(), labels.numpy()))
    error = (751 / (12 * 150 * 600)) ** 0.5  # of scores that say nothing (Mann and Whitney 1947)
    area = auc(*scores)
    return area, (area - 0.5) / error


def test_with_huge_noise_nothing_leaks(tmp_path):
    """Where the same training without noise does leak."""
    assert leakage(tmp_path)[1] > 3
    (tmp_path / "private").mkdir()
    area, distance = leakage(tmp_path / "private", privacy={"noise_multiplier": 200.0})
    assert abs(distance) < 3, area


def test_batch_norm_is_refused():
    network = build_network(WideResNet(name="wide_resnet", depth=10, width=1), (1, 8, 8), 3, seed=0)
    with pytest.raises(UserError, match="batch norm"):
        require_private(network)
    require_private(small_network())


def test_noise_has_to_be_given():
    with pytest.raises(ValidationError, match="noise_multiplier"):
        TrainingSettings(epochs=1, optimizer={"name": "sgd", "learning_rate": 0.1}, privacy={})


def test_leaving_out_a_record_moves_the_clipped_sum_by_the_clipping_norm_at_most():
    """What the accountant takes for granted. Made adversarial in part, a batch would not have it, and is refused."""
    model, (images, labels) = small_network(), small_batch(count=9)

    def clipped_sum(kept: torch.Tensor, fraction: float) -> torch.Tensor:
        method = PGD(name="pgd", epsilon=0.8, random_start=False, adversarial_fraction=fraction)
        step = method.loss(model, images[kept], labels[kept], Progress(0.0, 10), torch.Generator().manual_seed(0))
        settings = PrivacySettings(noise_multiplier=1e-12)
        private_gradients(model, *step.trained_on, settings, 1.0, torch.Generator().manual_seed(0))
        return torch.cat([weight.grad.flatten() for weight in model.parameters()])

    everyone = torch.arange(9)

    def largest(fraction: float) -> float:
        whole = clipped_sum(everyone, fraction)
        return max((whole - clipped_sum(everyone[everyone != row], fraction)).norm().item() for row in range(9))

    assert largest(1.0) <= 1.0 + 1e-5
    assert largest(0.0) <= 1.0 + 1e-5
    assert largest(0.5) > 1.05
    for fraction in (0.0, 0.5, 1.0):
        assert PGD(name="pgd", epsilon=0.2, adversarial_fraction=fraction).trains_privately == (fraction != 0.5)


def test_a_delta_that_allows_to_publish_a_record_is_refused(tmp_path):
    spec = tiny_spec("natural", NETWORK, privacy={"noise_multiplier": 1.0, "delta": 0.03})
    with pytest.raises(UserError, match=r"privacy.delta is 0.03, .* one of 50 records; set it well below 0.02"):
        trainer(spec, tmp_path / "c.pt")
