"""ROC curves and histograms of one target model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from robustmia.files.signals import SignalProbabilities
from synthetic import Bounded, evaluated, leaking_signal


@pytest.mark.parametrize(("members", "nonmembers"), [(1200, 90), (90, 500), (90, 1200)])
def test_a_curve_begins_where_the_non_members_resolve_it_and_is_no_more_certain_than_its_members(members, nonmembers):
    roc = evaluated({"benign": leaking_signal(members, nonmembers, 0)})[0].roc
    assert roc.false_positive_rate.min() == pytest.approx(1 / nonmembers, rel=0.05)
    middle = roc[roc.true_positive_rate.between(0.1, 0.9)].iloc[0]
    exact = binomtest(round(middle.true_positive_rate * members), members).proportion_ci(method="exact")
    assert middle.true_positive_rate_low < exact.low
    assert middle.true_positive_rate_high > exact.high
    last = roc.iloc[-1]  # the threshold is certain where all records are classified as members
    exact = binomtest(members, members).proportion_ci(method="exact")
    assert (last.true_positive_rate_low, last.true_positive_rate_high) == pytest.approx((exact.low, 1.0))


def test_the_loss_histogram_counts_every_record_once():
    table = evaluated({"benign": leaking_signal(150, 120, 0)})[0].loss_histogram
    assert table.groupby("membership").records.sum().to_dict() == {"member": 150, "nonmember": 120}


def test_the_losses_of_probabilities_are_those_of_their_logits():
    one = leaking_signal(150, 120, 0)
    softmax = [
        np.exp(side - np.logaddexp.reduce(side.astype(float), axis=1, keepdims=True))
        for side in (one.members, one.nonmembers)
    ]
    probabilities = SignalProbabilities(*softmax, one.member_labels, one.nonmember_labels, np.array(True))
    both = [evaluated({"benign": signal})[0].loss_histogram for signal in (one, probabilities)]
    pd.testing.assert_frame_equal(*both)


def test_the_margin_histogram_counts_every_record_once_and_splits_at_0():
    model = Bounded.draw()
    bounds = model.verified()
    table = evaluated(model.signals | {"verified": bounds}, None, model.signals)[0].margin_histogram
    assert table.groupby("membership").records.sum().to_dict() == {"member": 40, "nonmember": 30}
    below = table[(table.membership == "member") & (table.margin_logits_high <= 0)].records.sum()
    others = np.arange(3) != model.labels[0][:, None]
    assert below == (np.where(others, bounds.members, -np.inf).max(axis=1) < 0).sum()
    huge = replace(bounds, members=bounds.members * 1e6)
    table = evaluated({"verified": huge})[0].margin_histogram
    assert table.groupby("membership").records.sum().to_dict() == {"member": 40, "nonmember": 30}


def test_without_the_verified_signal_there_is_no_margin_histogram():
    assert evaluated(Bounded.draw().signals)[0].margin_histogram.empty
