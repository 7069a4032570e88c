"""A target model's signals: whose logits they are, and under which attack."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from helpers import refused
from robustmia.bounds.interval import Interval
from robustmia.bounds.verifiers import VERIFIERS
from robustmia.config.registry import SIGNALS, classes
from robustmia.data.digits import Digits
from robustmia.data.split import Split, draw_split
from robustmia.errors import DamagedError
from robustmia.files.signals import Examples, VerifiedBounds, load_signals, save_signals
from robustmia.files.weights import save_weights
from robustmia.models.networks.base import build_network
from robustmia.models.networks.small_cnn import SmallCNN
from robustmia.settings import SplitSettings, chosen
from robustmia.signals.adversarial import Adversarial
from robustmia.signals.base import Signal
from robustmia.signals.benign import Benign
from robustmia.signals.target_model import TargetModel
from robustmia.signals.targeted import Targeted
from robustmia.signals.verified import Verified

NETWORK = SmallCNN(name="small_cnn", width=4)
SPEC = {"architecture": chosen(NETWORK), "seed": 0}
RECORDS = Digits(name="digits").load(Path("nowhere"))
SPLIT = draw_split(RECORDS, SplitSettings(member_fraction=0.5, max_members=300, max_nonmembers=70), seed=0)


@pytest.fixture
def target(tmp_path) -> TargetModel:
    network = build_network(NETWORK, RECORDS.image_shape, 10, seed=5)
    network[-1].weight.data *= 8  # far enough from uniform for an attack to matter
    save_weights(network.state_dict(), tmp_path / "model.safetensors")
    return TargetModel.load(SPEC, tmp_path / "model.safetensors", RECORDS, SPLIT, torch.device("cpu"))


def pixels(rows: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(RECORDS.images[rows]).float() / 255


def test_the_benign_signal_is_the_models_answer_to_each_side(target, tmp_path):
    signal = target.logits(Benign(name="benign"))
    with torch.no_grad():
        for logits, rows in ((signal.members, SPLIT.members), (signal.nonmembers, SPLIT.nonmembers)):
            np.testing.assert_allclose(logits, target.model(pixels(rows)), rtol=1e-4, atol=1e-5)
    assert np.array_equal(signal.member_labels, RECORDS.labels[SPLIT.members])
    assert np.array_equal(signal.nonmember_labels, RECORDS.labels[SPLIT.nonmembers])
    assert signal.members.dtype == np.float32
    save_signals(tmp_path / "benign.npz", {"benign": signal})
    assert np.array_equal(load_signals([tmp_path / "benign.npz"])["benign"].nonmembers, signal.nonmembers)


@pytest.mark.parametrize("loss", ["cross_entropy", "margin"])
def test_the_adversarial_signal_is_worse_for_the_true_class(target, loss):
    benign = target.logits(Benign(name="benign"))
    adversarial = target.logits(Adversarial(name="adversarial", epsilon=0.1, loss=loss))
    for before, after, labels in (
        (benign.members, adversarial.members, benign.member_labels),
        (benign.nonmembers, adversarial.nonmembers, benign.nonmember_labels),
    ):
        rows = np.arange(len(labels))
        assert (after[rows, labels] - after.max(1)).mean() < (before[rows, labels] - before.max(1)).mean() - 0.1


def test_the_targeted_signal_has_each_class_in_its_row(target):
    """In row t class t is likelier than on the clean image, in row y stands the clean image's answer."""
    clean = target.logits(Benign(name="benign"))
    signal = target.logits(Targeted(name="targeted", epsilon=0.2, steps=5))
    for z, answers, labels in (
        (clean.members, signal.members, signal.member_labels),
        (clean.nonmembers, signal.nonmembers, signal.nonmember_labels),
    ):
        rows = np.arange(len(labels))
        assert answers.shape == (len(labels), 10, 10)
        np.testing.assert_allclose(answers[rows, labels], z, rtol=1e-4, atol=1e-4)
        log_p, moved = (torch.from_numpy(logits).log_softmax(-1).numpy() for logits in (z, answers))
        gained = np.einsum("nkk->nk", moved) - log_p
        others = np.arange(10) != labels[:, None]
        assert (gained[others] > 0).mean() > 0.99
        assert gained[others].mean() > 0.05


def test_a_targeted_input_stays_in_the_ball_and_is_found_by_plain_pgd(target):
    """Against the attack written out for one image and one class."""
    signal = target.logits(Targeted(name="targeted", epsilon=0.1, steps=3))
    row, goal = 4, (int(signal.member_labels[4]) + 3) % 10
    image = moved = pixels(SPLIT.members)[row : row + 1]
    for _ in range(3):
        moved = moved.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(target.model(moved).log_softmax(1)[0, goal], moved)
        moved = torch.clamp(image + (moved + 2.5 * 0.1 / 3 * gradient.sign() - image).clamp(-0.1, 0.1), 0, 1)
    with torch.no_grad():
        np.testing.assert_allclose(signal.members[row, goal], target.model(moved)[0], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("clip", [False, True])
def test_the_verified_signal_has_the_bounds_of_each_verifier_and_the_lowest(target, clip, tmp_path):
    names = ("crown", "dual", "interval")
    settings = Verified(name="verified", epsilon=0.02, clip_pixels=clip, verifiers=names)
    signal = target.logits(settings)
    assert isinstance(signal, VerifiedBounds)
    for side, rows in (("members", SPLIT.members), ("nonmembers", SPLIT.nonmembers)):
        labels = torch.from_numpy(RECORDS.labels[rows])
        ball = Interval.around(pixels(rows), 0.02, clip)
        with torch.no_grad():
            expected = [VERIFIERS[name](target.model, ball, labels, None).numpy() for name in names]
        for name, bounds in zip(names, expected, strict=True):
            np.testing.assert_allclose(getattr(signal.under(name), side), bounds, rtol=1e-4, atol=1e-4)
        lowest = getattr(signal, side)
        np.testing.assert_allclose(lowest, np.min(expected, axis=0), rtol=1e-4, atol=1e-4)
        assert (lowest[np.arange(len(rows)), labels] == 0).all()
    assert np.array_equal(signal.under("dual").member_labels, RECORDS.labels[SPLIT.members])
    save_signals(tmp_path / "verified.npz", {"verified": signal})
    loaded = load_signals([tmp_path / "verified.npz"])["verified"]
    assert isinstance(loaded, VerifiedBounds)
    assert np.array_equal(loaded.under("crown").nonmembers, signal.under("crown").nonmembers)
    with pytest.raises(ValueError):
        loaded.under("crown_interval")


def test_auto_takes_what_the_budget_affords_and_the_models_own_verifier_and_says_so(target, caplog):
    """The file says what the next tighter one would cost; the words of the signal, and the log, too."""
    for budget, own, names in (
        (1e-6, None, ["interval"]),
        (1e-6, "dual", ["interval", "dual"]),
        (10.0, None, ["interval", "crown_interval", "crown"]),
        (10.0, "interval", ["interval", "crown_interval", "crown"]),
        (1e6, "dual", ["interval", "crown_interval", "dual", "crown", "alpha_crown"]),
    ):
        target.own_verifier = own
        with caplog.at_level("INFO", logger="robustmia"):
            fitted = target.fitted(Verified(name="verified", epsilon=0.05, budget=budget))
        assert list(fitted.verifiers) == names
        assert list(fitted.choice.seconds) == names
        assert (fitted.choice.tighter is None) == ("alpha_crown" in names)
        assert fitted.choice.in_words() in caplog.messages[-1]
        assert "for 1,000 records" in fitted.in_words()
    bounds = target.logits(Verified(name="verified", epsilon=0.05, budget=1e-6))
    assert bounds.tighter.tolist() == ["crown"] if target.own_verifier == "dual" else ["crown_interval"]
    assert bounds.tighter_seconds > bounds.seconds[0]


def test_bounds_that_overflow_verify_nothing_and_stay_numbers(target):
    for layer in target.model[:4]:
        if isinstance(layer, torch.nn.Conv2d):
            layer.weight.data *= 1e25
    signal = target.logits(Verified(name="verified", epsilon=0.05))
    assert np.isfinite(signal.members_by_verifier).all()
    rows, labels = np.arange(300), signal.member_labels
    assert (signal.members_by_verifier[rows, :, labels] == 0).all()
    assert (signal.members.argmax(axis=1) != labels).all()


def test_the_verified_signal_bounds_the_attacked_one(target):
    verified = target.logits(Verified(name="verified", epsilon=0.05))
    attacked = target.logits(Adversarial(name="adversarial", epsilon=0.05))
    margins = attacked.members - attacked.members[np.arange(300), attacked.member_labels, None]
    assert (margins <= verified.members + 1e-4).all()
    assert (margins <= verified.members - 0.01).any()


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_examples_are_non_members_moved_inside_the_ball(target, norm, tmp_path):
    shown = target.examples(Adversarial(name="adversarial", norm=norm, epsilon=0.3))
    assert np.array_equal(shown.rows, SPLIT.nonmembers[:2])
    np.testing.assert_array_equal(shown.images, pixels(shown.rows))
    moved = np.linalg.norm(
        (shown.adversarial - shown.images).reshape(2, -1), ord=np.inf if norm == "linf" else 2, axis=1
    )
    assert (moved > 0.2).all()
    assert (moved < 0.3 + 1e-5).all()
    with torch.no_grad():
        said = target.model(torch.from_numpy(shown.adversarial)).argmax(1)
    assert np.array_equal(shown.adversarial_predictions, said)
    save_signals(tmp_path / "s.npz", {"benign": target.logits(Benign(name="benign"))}, shown)
    assert np.array_equal(Examples.load(tmp_path / "s.npz").labels, RECORDS.labels[shown.rows])
    assert list(load_signals([tmp_path / "s.npz"])) == ["benign"]


def test_random_starts_repeat_with_the_seed(target):
    settings = Adversarial(name="adversarial", epsilon=0.1, steps=1, random_start=True)
    first, again = target.logits(settings), target.logits(settings)
    assert np.array_equal(first.members, again.members)
    target.seed = 1
    assert not np.array_equal(first.members, target.logits(settings).members)


def test_weights_of_another_network_are_named(tmp_path):
    other = build_network(SmallCNN(name="small_cnn", width=5), RECORDS.image_shape, 10, seed=0)
    save_weights(other.state_dict(), tmp_path / "model.safetensors")
    with refused(str(tmp_path / "model.safetensors"), "not of this network", error=DamagedError):
        TargetModel.load(
            SPEC, tmp_path / "model.safetensors", RECORDS, Split(*(np.arange(3),) * 3), torch.device("cpu")
        )


def test_weights_are_found_behind_the_prefix_of_one_model_of_several(target, tmp_path):
    """A file of shadow models has those of all models of a job."""
    own, other = (build_network(NETWORK, RECORDS.image_shape, 10, seed=seed).state_dict() for seed in (8, 9))
    both = {f"{model}.{name}": weight for model, state in (("3", own), ("13", other)) for name, weight in state.items()}
    save_weights(both, tmp_path / "both.safetensors")
    for prefix, expected in (("3.", own), ("13.", other)):
        model = TargetModel.load(SPEC, tmp_path / "both.safetensors", RECORDS, SPLIT, torch.device("cpu"), prefix).model
        assert all(torch.equal(weight, expected[name]) for name, weight in model.state_dict().items())


# ---------------------------------------------------------------- what inference and captions ask of a signal


EPSILONS = (0.0, 0.0999, 0.1, 0.1001, 1.0)


@pytest.mark.parametrize(
    ("signal", "within"),
    [
        (Benign(name="benign"), [True] * 5),
        (Adversarial(name="adversarial", epsilon=0.1), [False, False, True, True, True]),
        (Adversarial(name="adversarial", epsilon=0.1, norm="l2"), [False, False, True, True, True]),
        (Adversarial(name="adversarial", epsilon=0.0), [True] * 5),
        (Targeted(name="targeted", epsilon=0.1), [False, False, True, True, True]),
        (Targeted(name="targeted", epsilon=0.1, norm="l2"), [False, False, True, True, True]),
        (Verified(name="verified", epsilon=0.1), [False] * 5),
    ],
    ids=lambda given: given.name if isinstance(given, Signal) else None,
)
def test_a_signal_says_in_which_balls_its_images_stay(signal, within):
    """The bounds of the verified signal are of no image at all."""
    assert [signal.stays_within(epsilon) for epsilon in EPSILONS] == within


def test_a_signal_of_unknown_images_stays_in_no_ball():
    class Unknown(Signal):
        name: str

    assert not Unknown(name="unknown").stays_within(1e9)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_images_are_where_their_signal_says(target, norm):
    """In the l-inf ball of the radius, whatever the norm, and valid: what is held against the verified bounds."""
    signal = Adversarial(name="adversarial", norm=norm, epsilon=0.3, random_start=True)
    assert signal.stays_within(0.3)
    images, labels = pixels(SPLIT.nonmembers), torch.from_numpy(RECORDS.labels[SPLIT.nonmembers])
    moved = signal.attack(target.model, images, labels, torch.Generator().manual_seed(0))
    assert (moved - images).abs().max() <= 0.3 + 1e-6
    assert moved.min() >= 0
    assert moved.max() <= 1


@pytest.mark.parametrize(
    ("signal", "words"),
    [
        (Benign(name="benign"), "benign"),
        (
            Adversarial(name="adversarial", epsilon=0.1),
            "PGD in the l-inf ball of radius 0.1, 20 steps from the clean image",
        ),
        (
            Adversarial(name="adversarial", epsilon="8/255"),
            "PGD in the l-inf ball of radius 8/255, 20 steps from the clean image",
        ),
        (
            Adversarial(name="adversarial", epsilon=0.2),  # 51/255
            "PGD in the l-inf ball of radius 0.2, 20 steps from the clean image",
        ),
        (
            Adversarial(name="adversarial", epsilon=0.5, norm="l2", steps=7, random_start=True),
            "PGD in the l2 ball of radius 0.5, 7 steps from a random start",
        ),
        (
            Adversarial(name="adversarial", epsilon=0.1, random_start=True, restarts=3),
            "PGD in the l-inf ball of radius 0.1, 20 steps from 3 random starts",
        ),
        (Targeted(name="targeted", epsilon=1 / 64, steps=5), "PGD in the l-inf ball of radius 0.015625, 5 steps"),
        (
            Verified(name="verified", epsilon=0.1),
            "the l-inf ball of radius 0.1, cut to valid pixels, bounds by the verifiers that 60 s for 1,000 records afford",
        ),
        (
            Verified(name="verified", epsilon=0.1, clip_pixels=False, verifiers=("crown_interval",)),
            "the l-inf ball of radius 0.1, bounds by CROWN-IBP",
        ),
    ],
    ids=lambda given: given.name if isinstance(given, Signal) else None,
)
def test_a_signal_in_words(signal, words):
    assert signal.in_words() == words


def test_every_signal_says_what_it_is_in_one_line():
    """As a part of a sentence, which captions and notes go on from: no key of the configuration, no line break."""
    for name, signal in zip(SIGNALS, classes(SIGNALS), strict=True):
        required = {key: 0.1 for key, field in signal.model_fields.items() if field.is_required() and key != "name"}
        words = signal(name=name, **required).in_words()
        assert words
        assert not set(words) & set("\n_{}")
        assert not words.endswith(".")


def test_only_a_signal_with_an_attack_for_each_class_says_so():
    assert [name for name, kind in zip(SIGNALS, classes(SIGNALS), strict=True) if kind.one_attack_per_class] == [
        "targeted"
    ]
