"""Scores, rules, metrics: known answers, and the authors' own numbers from their own files."""

from __future__ import annotations

import csv
from math import comb

import numpy as np
import pytest
from scipy.stats import binomtest, norm

from conftest import shared
from robustmia.inference.calls import Scores
from robustmia.inference.evaluate import evaluate
from robustmia.inference.metrics import ROC, Operating, accuracy_interval, auc, uninformative_floor
from robustmia.inference.scores import cross_entropy, log_odds, negative_modified_entropy
from robustmia.inference.thresholds import RULES, SHADOW_RULES, best_threshold, oracle, split
from robustmia.logits import SignalLogits

RANDOM = np.random.default_rng(0)


def gaussians(shift: float, members: int = 20_000, nonmembers: int = 20_000) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(1)
    return random.normal(shift, 1, members), random.normal(0, 1, nonmembers)


def scores(members: np.ndarray, nonmembers: np.ndarray) -> Scores:
    """Of one class."""
    return Scores(members, nonmembers, np.zeros(len(members), int), np.zeros(len(nonmembers), int))


def slow_oracle(members: np.ndarray, nonmembers: np.ndarray) -> float:
    thresholds = np.concatenate([members, nonmembers])
    return max(0.5, *(0.5 * ((members >= t).mean() + 1 - (nonmembers >= t).mean()) for t in thresholds))


# ---------------------------------------------------------------- scores


def test_log_odds_is_the_log_odds_of_the_true_class():
    logits = RANDOM.normal(0, 2, (50, 7)).astype(np.float32)
    labels = RANDOM.integers(7, size=50)
    p = np.exp(logits.astype(np.float64))
    p = (p / p.sum(1, keepdims=True))[np.arange(50), labels]
    np.testing.assert_allclose(log_odds(logits, labels), np.log(p / (1 - p)), rtol=1e-9)
    np.testing.assert_allclose(cross_entropy(log_odds(logits, labels)), -np.log(p), rtol=1e-9)


def test_log_odds_orders_saturated_logits():
    logits = np.array([[gap, 0, 0] for gap in (20, 40, 90, 1e4)], dtype=np.float32)
    score = log_odds(logits, np.zeros(4, int))
    assert (np.diff(score) > 0).all()
    np.testing.assert_allclose(score, logits[:, 0] - np.log(2))
    assert np.isfinite(cross_entropy(score)).all()
    assert np.isfinite(cross_entropy(-score)).all()


# ---------------------------------------------------------------- rules and metrics


def test_a_constant_score_says_nothing():
    members, nonmembers = np.zeros(300), np.zeros(200)
    assert oracle(scores(members, nonmembers)).accuracy == 0.5
    assert split(scores(members, nonmembers)).accuracy == 0.5
    assert auc(members, nonmembers) == 0.5


def test_a_perfect_score_says_everything():
    assert oracle(scores(np.ones(3), np.zeros(5))).accuracy == 1.0
    assert split(scores(np.ones(30), np.zeros(50))).accuracy == 1.0
    assert auc(np.ones(3), np.zeros(5)) == 1.0


def test_the_reverse_sign_gives_the_complement():
    members, nonmembers = gaussians(0.5, 500, 300)
    assert auc(-members, -nonmembers) == pytest.approx(1 - auc(members, nonmembers))
    assert oracle(scores(-members, -nonmembers)).accuracy < 0.52


def test_two_gaussians_give_the_closed_forms():
    members, nonmembers = gaussians(1.0)
    assert auc(members, nonmembers) == pytest.approx(norm.cdf(1 / np.sqrt(2)), abs=0.005)
    assert oracle(scores(members, nonmembers)).accuracy == pytest.approx(norm.cdf(0.5), abs=0.006)
    assert split(scores(members, nonmembers)).accuracy == pytest.approx(norm.cdf(0.5), abs=0.005)
    roc = ROC.of(members, nonmembers)
    assert roc.true_positive_rate_at(0.01, 20_000) == pytest.approx(norm.sf(norm.isf(0.01) - 1.0), rel=0.1)


def test_a_low_false_positive_rate_gives_the_closed_form_where_records_suffice():
    members, nonmembers = gaussians(2.0, 100_000, 1_000_000)
    rate = ROC.of(members, nonmembers).true_positive_rate_at(0.001, 1_000_000)
    assert rate == pytest.approx(norm.sf(norm.isf(0.001) - 2.0), rel=0.05)


@pytest.mark.parametrize("distinct", [2, 5, 1000])
def test_the_oracle_equals_trying_every_threshold(distinct):
    random = np.random.default_rng(distinct)
    members, nonmembers = random.integers(distinct, size=60) + 1.0, random.integers(distinct, size=25) + 0.0
    assert oracle(scores(members, nonmembers)).accuracy == pytest.approx(slow_oracle(members, nonmembers), abs=1e-15)


def test_duplicated_records_change_no_rate():
    members, nonmembers = gaussians(0.7, 80, 50)
    assert oracle(scores(np.repeat(members, 3), np.repeat(nonmembers, 3))).accuracy == pytest.approx(
        oracle(scores(members, nonmembers)).accuracy, abs=1e-15
    )
    assert auc(np.repeat(members, 3), np.repeat(nonmembers, 3)) == pytest.approx(auc(members, nonmembers))


def test_one_record_on_each_side():
    assert oracle(scores(np.array([1.0]), np.array([0.0]))).accuracy == 1.0
    with pytest.raises(ValueError, match="at least 2"):
        split(scores(np.array([1.0]), np.array([0.0])))


def test_ties_are_taken_together_at_a_low_false_positive_rate():
    """Half of both sides share the top score: no threshold has a false positive rate between 0 and 1/2."""
    roc = ROC.of(np.repeat([1.0, 0.0], 500), np.repeat([1.0, 0.0], 500))
    assert roc.true_positive_rate_at(0.1, 1000) == 0.0
    assert roc.true_positive_rate_at(0.5, 1000) == 0.5


def test_rates_that_the_records_cannot_resolve_are_empty():
    members, nonmembers = gaussians(1.0, 500, 500)
    roc = ROC.of(members, nonmembers)
    assert roc.true_positive_rate_at(0.001, 500) is None
    assert roc.true_positive_rate_at(0.01, 500) is not None


def test_the_split_rule_is_honest_and_the_oracle_is_not():
    """Scores without information, many times over: split averages to one half, oracle to its floor."""
    random = np.random.default_rng(3)
    draws = [(random.normal(size=190), random.normal(size=52)) for _ in range(200)]
    honest = np.mean([split(scores(*draw)).accuracy for draw in draws])
    greedy = np.mean([oracle(scores(*draw)).accuracy for draw in draws])
    assert honest == pytest.approx(0.5, abs=0.005)
    assert greedy == pytest.approx(uninformative_floor(190, 52)[0], abs=0.006)
    assert greedy > 0.53


@pytest.mark.parametrize(("members", "nonmembers"), [(1900, 514), (60_000, 10_000), (50_000, 10_000)])
def test_the_floor_follows_smirnovs_limit_for_the_papers_data_sets(members, nonmembers):
    """P(D+ > t / sqrt(n m / (n + m))) tends to exp(-2 t^2): its mean is sqrt(pi / 8), its 95th percentile 1.2239."""
    scale = np.sqrt(1 / members + 1 / nonmembers)
    mean, high = uninformative_floor(members, nonmembers)
    assert 2 * mean - 1 == pytest.approx(np.sqrt(np.pi / 8) * scale, rel=0.04)
    assert 2 * high - 1 == pytest.approx(np.sqrt(np.log(20) / 2) * scale, rel=0.06)


def test_the_floor_is_exact_for_equal_numbers():
    """Reflection: P(D+ >= k / n) = C(2n, n - k) / C(2n, n), hence the mean of D+ is their sum over n."""
    n = 60
    mean = sum(comb(2 * n, n - k) for k in range(1, n + 1)) / comb(2 * n, n) / n
    assert 2 * uninformative_floor(n, n)[0] - 1 == pytest.approx(mean, rel=0.04)


def test_the_interval_covers_the_true_accuracy():
    random = np.random.default_rng(0)
    true = Operating(0.9, 0.6)
    covered = 0
    for _ in range(2000):
        seen = Operating(random.binomial(300, 0.9) / 300, random.binomial(100, 0.6) / 100)
        low, high = accuracy_interval(seen, 300, 100)
        assert low <= seen.accuracy <= high
        covered += low <= true.accuracy <= high
    assert 0.935 <= covered / 2000 <= 0.97


@pytest.mark.parametrize(
    ("first", "second", "low", "high"),
    [  # Newcombe (1998), table II, method 10
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((10, 10), (0, 20), 0.6791, 1.0000),
    ],
)
def test_the_interval_is_newcombes(first, second, low, high):
    """For the difference of two rates; accuracy is one half more than half of it."""
    rates = Operating(first[0] / first[1], second[0] / second[1])
    interval = accuracy_interval(rates, first[1], second[1])
    assert [2 * accuracy - 1 for accuracy in interval] == pytest.approx([low, high], abs=6e-5)


def test_the_split_rule_judges_every_record_equally_often():
    """One threshold is the best for every half, so the mean over both directions is the rate of all records."""
    members, nonmembers = np.repeat([1.0, 0.0], [60, 40]), np.repeat([1.0, 0.0], [20, 80])
    rates = split(scores(members, nonmembers)).rates
    assert rates.true_positive_rate == pytest.approx(0.6, abs=1e-12)
    assert rates.false_positive_rate == pytest.approx(0.2, abs=1e-12)


def test_the_split_rule_averages_over_many_halvings():
    """A halving puts 1 against 0 and 3 against 2, which gives rates of 1/2, or 3 against 0 and 1 against 2: rates of 0."""
    rates = split(scores(np.array([3.0, 1.0]), np.array([2.0, 0.0]))).rates
    assert rates.true_positive_rate == rates.false_positive_rate
    assert 0.1 < rates.true_positive_rate < 0.4


@pytest.mark.parametrize("distinct", [1, 2, 7, 100_000])
def test_the_best_threshold_is_the_one_of_the_curve(distinct):
    random = np.random.default_rng(distinct)
    for _ in range(30):
        members, nonmembers = random.integers(distinct, size=40) * 1.0, random.integers(distinct, size=23) * 1.0
        roc = ROC.of(members, nonmembers)
        best = int(np.argmax(roc.true_positive_rate - roc.false_positive_rate))
        assert best_threshold(members, nonmembers) == roc.thresholds[best]


def by_two_classes(count: int = 400) -> Scores:
    """Members of class 0 score 1 above non-members around 0; of class 1 as much above, around 10."""
    random = np.random.default_rng(0)
    labels = np.arange(count) % 2
    noise = [0.1 * random.normal(size=count) for _ in range(2)]
    return Scores(10.0 * labels + 1 + noise[0], 10.0 * labels + noise[1], labels, labels)


def test_thresholds_of_each_class_find_what_one_for_all_cannot():
    given = by_two_classes()
    for one, each in (
        (RULES["split"], RULES["split_by_class"]),
        (SHADOW_RULES["shadow"], SHADOW_RULES["shadow_by_class"]),
    ):
        assert one(given, given).accuracy == pytest.approx(0.75, abs=0.02)
        assert each(given, given).accuracy == pytest.approx(1.0, abs=0.01)


def test_thresholds_of_each_class_are_honest():
    random = np.random.default_rng(0)
    labels = np.arange(300) % 10
    accuracies = [
        RULES["split_by_class"](Scores(random.normal(size=300), random.normal(size=300), labels, labels), None).accuracy
        for _ in range(20)
    ]
    assert np.mean(accuracies) == pytest.approx(0.5, abs=0.01)


def test_a_small_class_takes_the_threshold_of_all():
    given = by_two_classes(30)
    labels = np.where(np.arange(30) < 7, 2, 0)
    few = Scores(given.members, given.nonmembers, labels, labels)
    calls, all_calls = RULES["split_by_class"](few, None), RULES["split"](few, None)
    assert np.array_equal(calls.members[:7], all_calls.members[:7])
    assert not np.array_equal(calls.members[7:], all_calls.members[7:])


def test_modified_entropy_is_its_formula_and_does_not_saturate():
    logits, labels = RANDOM.normal(0, 3, (40, 5)), RANDOM.integers(5, size=40)
    p = np.exp(logits)
    p /= p.sum(1, keepdims=True)
    expected = []
    for row, y in zip(p, labels, strict=True):
        others = [row[k] * np.log(1 - row[k]) for k in range(5) if k != y]
        expected.append((1 - row[y]) * np.log(row[y]) + sum(others))
    np.testing.assert_allclose(negative_modified_entropy(logits, labels), expected, rtol=1e-9)
    sure = np.array([[gap, 0, 0] for gap in (20.0, 40.0, 90.0)])
    right, wrong = (negative_modified_entropy(sure, np.full(3, y)) for y in (0, 1))
    assert (np.diff(right) > 0).all()
    assert (np.diff(wrong) < 0).all()
    assert np.isfinite(negative_modified_entropy(np.array([[3e38, -3e38, 0.0]]), np.array([1]))).all()


def test_a_score_of_the_targeted_signal_is_the_mean_over_the_inputs_that_were_moved():
    logits, labels = RANDOM.normal(size=(6, 4, 4)), RANDOM.integers(4, size=6)
    for score in (log_odds, negative_modified_entropy):
        of_each = np.array([score(logits[:, t], labels) for t in range(4)])
        expected = [np.delete(of_each[:, record], labels[record]).mean() for record in range(6)]
        np.testing.assert_allclose(score(logits, labels), expected)


# ---------------------------------------------------------------- rows


def signal(members: int, nonmembers: int, seed: int) -> SignalLogits:
    random = np.random.default_rng(seed)
    labels = random.integers(4, size=members + nonmembers)
    logits = random.normal(size=(members + nonmembers, 4)).astype(np.float32)
    logits[np.arange(members), labels[:members]] += 2
    return SignalLogits(logits[:members], logits[members:], labels[:members], labels[members:])


ROWS = np.arange(2000)


def test_rows_have_the_columns_of_the_contract():
    identity = {"dataset": "d", "run": "r", "method": "pgd", "seed": 3}
    results, _ = evaluate(identity, {"benign": signal(150, 120, 0), "adversarial": signal(150, 120, 1)}, ROWS)
    table = results.membership_inference
    wanted = [
        "dataset",
        "run",
        "method",
        "seed",
        "signal",
        "strategy",
        "threshold_rule",
        "accuracy",
        "accuracy_low",
        "accuracy_high",
        "advantage",
        "auc",
        "tpr_at_1pct_fpr",
        "tpr_at_0.1pct_fpr",
        "members",
        "nonmembers",
    ]
    assert set(wanted) <= set(table.columns)
    assert set(zip(table.signal, table.strategy, table.threshold_rule, strict=True)) == {
        ("benign", "I_B", "oracle"),
        ("benign", "I_B", "split"),
        ("benign", "I_B", "split_by_class"),
        ("benign", "correctness", "fixed"),
        ("adversarial", "I_A", "oracle"),
        ("adversarial", "I_A", "split"),
        ("adversarial", "I_A", "split_by_class"),
        ("adversarial", "correctness", "fixed"),
    }
    np.testing.assert_allclose(table.advantage, 2 * table.accuracy - 1, atol=1e-12)
    assert table["tpr_at_0.1pct_fpr"].isna().all()  # 120 non-members do not resolve it
    assert (table.unresolved == "120 non-members do not resolve 0.1 %").all()
    assert table[table.threshold_rule == "oracle"].floor_accuracy.notna().all()
    assert table[table.threshold_rule != "oracle"].floor_accuracy.isna().all()
    given = signal(150, 120, 0)
    sides = [log_odds(given.members, given.member_labels), log_odds(given.nonmembers, given.nonmember_labels)]
    expected = ROC.of(*sides).true_positive_rate_at(0.01, 120)
    assert table[table.strategy == "I_B"].tpr_at_1pct_fpr.tolist() == [expected] * 3
    first = results.roc.iloc[0]
    exact = binomtest(round(first.true_positive_rate * 150), 150).proportion_ci(method="exact")
    assert first.true_positive_rate_high == pytest.approx(exact.high)
    robustness = results.robustness.iloc[0]
    correct = table[(table.strategy == "correctness") & (table.signal == "benign")].iloc[0]
    assert correct.accuracy == pytest.approx(0.5 + (robustness.train_accuracy - robustness.test_accuracy) / 2)
    assert results.robustness.verified_train_accuracy.isna().all()


def test_each_row_tells_of_its_own_signal_and_side():
    """Right for the first so many records of each side: accuracies, and what correctness says, by counting."""
    right = {"benign": (140, 60), "adversarial": (90, 30)}
    signals = {}
    for name, counts in right.items():
        sides = [np.zeros((total, 3), np.float32) for total in (150, 90)]
        for logits, count in zip(sides, counts, strict=True):
            logits[:count, 0], logits[count:, 1] = 1, 1
        signals[name] = SignalLogits(*sides, np.zeros(150, int), np.zeros(90, int))
    results, _ = evaluate({"run": "r"}, signals, ROWS)
    robustness = results.robustness.iloc[0]
    assert [robustness.train_accuracy, robustness.test_accuracy] == pytest.approx([140 / 150, 60 / 90])
    assert [robustness.adv_train_accuracy, robustness.adv_test_accuracy] == pytest.approx([90 / 150, 30 / 90])
    for name, (members, nonmembers) in right.items():
        table = results.membership_inference[results.membership_inference.signal == name]
        row = table[table.strategy == "correctness"].iloc[0]
        assert row.true_positive_rate == pytest.approx(members / 150)
        assert row.false_positive_rate == pytest.approx(nonmembers / 90)
        assert table.auc.tolist() == pytest.approx(
            [row.accuracy] * 4
        )  # two scores only: the curve has one corner, the same for each rule


def test_a_row_has_its_numbers_in_the_columns_they_are_named_for():
    given = signal(400, 90, 0)
    results, _ = evaluate({"run": "r"}, {"benign": given}, ROWS)
    table = results.membership_inference.set_index("threshold_rule")
    sides = [log_odds(given.members, given.member_labels), log_odds(given.nonmembers, given.nonmember_labels)]
    assert table.auc[["oracle", "split", "split_by_class"]].tolist() == pytest.approx([auc(*sides)] * 3)
    assert auc(*sides) > 0.6
    assert (table.auc_low < table.auc).all()
    assert (table.auc < table.auc_high).all()
    low, high = accuracy_interval(oracle(scores(*sides)).rates, 400, 90)
    assert (table.accuracy_low.oracle, table.accuracy_high.oracle) == (low, high)
    assert (table.accuracy_low < table.accuracy).all()
    assert (table.accuracy < table.accuracy_high).all()
    floor = (table.floor_accuracy.oracle, table.floor_accuracy_95th.oracle)
    assert floor == uninformative_floor(400, 90)
    assert (table.members.oracle, table.nonmembers.oracle) == (400, 90)


@pytest.mark.parametrize(
    ("members", "nonmembers", "resolved"),
    [(1200, 90, [False, False]), (90, 500, [True, False]), (90, 1200, [True, True])],
)
def test_the_number_of_non_members_decides_which_rates_are_resolved(members, nonmembers, resolved):
    given = signal(members, nonmembers, 0)
    results, _ = evaluate({"run": "r"}, {"benign": given}, ROWS)
    row = results.membership_inference.iloc[0]
    rates = {"tpr_at_1pct_fpr": 0.01, "tpr_at_0.1pct_fpr": 0.001}
    assert row[list(rates)].notna().tolist() == resolved
    roc = ROC.of(log_odds(given.members, given.member_labels), log_odds(given.nonmembers, given.nonmember_labels))
    for column, there in zip(rates, resolved, strict=True):
        assert not there or row[column] == roc.true_positive_rate_at(rates[column], nonmembers)
    assert results.roc.false_positive_rate.min() == pytest.approx(1 / nonmembers, rel=0.05)
    middle = results.roc[results.roc.true_positive_rate.between(0.1, 0.9)].iloc[0]
    exact = binomtest(round(middle.true_positive_rate * members), members).proportion_ci(method="exact")
    assert middle.true_positive_rate_low == pytest.approx(exact.low)
    assert middle.true_positive_rate_high == pytest.approx(exact.high)


def test_histograms_count_every_record_once():
    results, _ = evaluate({"run": "r"}, {"benign": signal(150, 120, 0)}, ROWS)
    counted = results.loss_histogram.groupby("membership").records.sum()
    assert counted.to_dict() == {"member": 150, "nonmember": 120}


# ---------------------------------------------------------------- the paper's own files


@pytest.mark.parametrize("method", ["natural", "pgd"])
@pytest.mark.parametrize("inputs", ["benign", "adversarial"])
def test_the_oracle_rule_gives_the_published_accuracies(method, inputs):
    with np.load(shared("reference", "song2019", f"yale_{method}.npz")) as arrays:
        sides = [(arrays[f"output_{side}_{inputs}"], arrays[f"{side}_label"]) for side in ("train", "test")]
    members, nonmembers = (probabilities[np.arange(len(labels)), labels] for probabilities, labels in sides)
    with shared("reference", "published_results.csv").open() as file:
        published = next(
            row
            for row in csv.DictReader(file)
            if (row["dataset"], row["method"], row["inputs"]) == ("yale", method, inputs)
        )
    assert oracle(scores(members, nonmembers)).accuracy == pytest.approx(
        float(published["inference_accuracy"]), abs=1e-12
    )
    for (probabilities, labels), side in zip(sides, ("train", "test"), strict=True):
        accuracy = (probabilities.argmax(1) == labels).mean()
        assert accuracy == pytest.approx(float(published[f"{side}_accuracy"]), abs=1e-12)
