"""What verifiers are estimated to cost, and which of them a budget affords."""

from __future__ import annotations

from itertools import accumulate

import pytest
import torch
import yaml
from snakemake.utils import update_config
from torch import nn

from bound_networks import NETWORKS, batch, network
from helpers import ROOT, refused
from robustmia.bounds.cost import ACTIVATION, AUTO, SPEED, affordable, costs, multiplications, seconds
from robustmia.bounds.tracing import read_graph
from robustmia.bounds.verifiers import VERIFIERS
from robustmia.config.reading import read_config
from robustmia.models.networks.base import build_network

CPU = torch.device("cpu")


def test_multiplications_worked_out_by_hand():
    """6 pixels, 5 and 3 hidden units, 2 classes. Forward 6 x 5 + 5 x 3; a margin passes 3 units, a layer of 3 x 5, 5 units, one of 5 x 6."""
    model = nn.Sequential(
        nn.Flatten(), nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3), nn.ReLU(), nn.Linear(3, 2)
    ).double()
    graph = read_graph(model, torch.zeros(1, 1, 2, 3).double())
    interval = 2 * (6 + 30 + 15)  # flattening too is counted
    to_image = 5 * ACTIVATION + 5 * 6 + 6 + 6 * ACTIVATION
    margins = 2 * (3 * ACTIVATION + 3 * 5 + to_image)
    hidden = 2 * 3 * (3 * 5 + to_image)  # both bounds of 3 units; those of the first 5 are exact intervals
    assert multiplications(graph, "interval") == interval
    assert multiplications(graph, "crown_interval") == interval + margins
    assert multiplications(graph, "crown") == multiplications(graph, "dual") == interval + margins + hidden


@pytest.mark.parametrize("kind", NETWORKS)
def test_tighter_verifiers_cost_more(kind):
    graph = read_graph(network(kind, 1), batch(1)[0])
    estimated = [seconds(graph, name, CPU) for name in AUTO]
    assert estimated == sorted(estimated)
    assert estimated[0] > 0
    assert set(AUTO) | {"dual"} == set(VERIFIERS)


def test_a_budget_affords_verifiers_from_the_cheapest_on():
    model, (images, _) = network("convolutional", 2), batch(2)
    graph = read_graph(model, images)
    together = 0.0
    for count, name in enumerate(AUTO, start=1):
        together += seconds(graph, name, CPU)
        choice = affordable(model, images, together * 1.001)
        assert list(choice.seconds) == list(AUTO[:count])
        assert choice.tighter == (AUTO[count] if count < len(AUTO) else None)
    assert list(affordable(model, images, 1e-12).seconds) == ["interval"]
    assert list(affordable(model, images, 1e-12, also=("dual",)).seconds) == ["interval", "dual"]


def test_a_loose_verifier_is_not_named_without_the_next_tighter_one_and_its_cost():
    model, (images, _) = network("dense", 3), batch(3)
    words = costs(model, images, ("interval", "dual")).in_words()
    assert "intervals (about 1 s)" in words
    assert "CROWN would be tighter" in words
    assert costs(model, images, ("alpha_crown",)).in_words().endswith("None is tighter.")


def test_the_choice_does_not_depend_on_the_weights():
    images, _ = batch(4)
    first, second = (affordable(network("pooled", seed), images, 1.0) for seed in (1, 2))
    assert first == second


def test_a_gpu_affords_more():
    graph = read_graph(network("dense", 5), batch(5)[0])
    assert SPEED["cuda"] > SPEED["cpu"]
    assert seconds(graph, "crown", torch.device("cuda")) < seconds(graph, "crown", CPU)


@pytest.mark.parametrize(
    ("dataset", "device", "tightest"),
    [
        ("digits", "cpu", "crown"),
        ("digits", "cuda", "alpha_crown"),
        ("yale", "cpu", "crown_interval"),
        ("yale", "cuda", "crown"),
        ("fashion_mnist", "cuda", "crown_interval"),
    ],
)
def test_the_configurations_afford_what_their_comments_and_the_docs_say(dataset, device, tightest):
    raw = yaml.safe_load((ROOT / "config.yaml").read_text())
    if dataset != "digits":
        update_config(raw, yaml.safe_load((ROOT / "configs" / "paper" / f"{dataset}.yaml").read_text()))
    settings = read_config(raw).datasets[dataset]
    shape, classes = {"digits": ((1, 8, 8), 10), "yale": ((1, 192, 168), 38), "fashion_mnist": ((1, 28, 28), 10)}[
        dataset
    ]
    graph = read_graph(build_network(settings.architecture, shape, classes, seed=0), torch.zeros(1, *shape))
    together = list(accumulate(seconds(graph, name, torch.device(device)) for name in AUTO))
    assert [name for name, cost in zip(AUTO, together, strict=True) if cost <= settings.signals["verified"].budget][
        -1
    ] == tightest


def test_a_network_that_cannot_be_read_is_refused():
    with refused("GELU"):
        affordable(nn.Sequential(nn.Flatten(), nn.GELU()), batch(6)[0], 60.0)
