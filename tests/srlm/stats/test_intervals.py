"""Intervals: the paper's Figure 3, scipy's Wilson, errors computed by hand, properties, coverage."""

from math import inf, isnan, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest
from scipy.stats import t as student

from srlm.stats.intervals import Estimate, ObservedRange, bootstrap_ratio, mean_interval, wilson

# Head-to-head score = win + tie/2. The counts are those of Figure 3 of arXiv 2401.10020 (GPT-4 as judge, 256
# prompts; its percentages are whole counts of 256); scores and intervals were derived apart from this code.
FIGURE_3 = [
    ("M1-SFT", 78, 99, 79, 0.498, 0.450, 0.546),
    ("M2-SFT", 126, 93, 37, 0.674, 0.630, 0.718),
    ("M3-SFT", 160, 71, 25, 0.764, 0.723, 0.805),
    ("M2-M1", 142, 84, 30, 0.719, 0.676, 0.761),
    ("M3-M2", 122, 102, 32, 0.676, 0.633, 0.718),
    ("M3-M1", 176, 58, 22, 0.801, 0.761, 0.840),
]
NO_ENDS = (-inf, inf)
shares = st.lists(st.floats(0, 1), min_size=1, max_size=40)
clustered = st.lists(st.tuples(st.floats(-5, 5), st.sampled_from("abcdefg")), min_size=2, max_size=40).filter(
    lambda items: len({label for _, label in items}) > 1
)


def unknown(estimate: Estimate) -> bool:
    return isnan(estimate.low) and isnan(estimate.high)


@pytest.mark.parametrize(("pair", "win", "tie", "loss", "score", "low", "high"), FIGURE_3)
def test_figure_3_of_the_paper(pair, win, tie, loss, score, low, high):
    estimate = mean_interval([1.0] * win + [0.5] * tie + [0.0] * loss)
    assert estimate.n == estimate.clusters == 256
    assert (round(estimate.value, 3), round(estimate.low, 3), round(estimate.high, 3)) == (score, low, high)


@pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
@pytest.mark.parametrize(("k", "n"), [(0, 1), (1, 1), (0, 50), (50, 50), (7, 20), (541, 1630), (3, 805)])
def test_wilson_is_scipys(k, n, level):
    expected = binomtest(k, n).proportion_ci(level, method="wilson")
    estimate = wilson(k, n, level)
    assert (estimate.low, estimate.high) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert (estimate.value, estimate.n, estimate.clusters) == (k / n, n, n)


@given(st.integers(1, 10_000), st.floats(0, 1), st.floats(0.5, 0.999))
def test_wilson_contains_its_value_and_stays_a_share(n, share, level):
    estimate = wilson(share * n, n, level)
    assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1


def test_no_data_is_unknown():
    for estimate in (wilson(0, 0), mean_interval([]), bootstrap_ratio([], []), bootstrap_ratio([0.0], [0.0])):
        assert isnan(estimate.value)
        assert unknown(estimate)
        assert (estimate.n, estimate.clusters) == (0, 0)


def test_one_cluster_has_a_value_and_no_interval():
    for estimate, value, n in (
        (mean_interval([0.25]), 0.25, 1),
        (mean_interval([1, 0, 0, 1], ["p", "p", "p", "p"]), 0.5, 4),
        (bootstrap_ratio([3], [4]), 0.75, 4),
        (bootstrap_ratio([3, 0], [4, 0]), 0.75, 4),
    ):
        assert (estimate.value, estimate.n, estimate.clusters) == (value, n, 1)
        assert unknown(estimate)


def test_standard_error_without_clusters():
    x = [0.0, 1.0, 1.0, 0.5, 0.25]
    half = student.ppf(0.975, 4) * np.std(x, ddof=1) / sqrt(5)
    estimate = mean_interval(x, bounds=NO_ENDS)
    assert (estimate.low, estimate.high) == pytest.approx((0.55 - half, 0.55 + half))


def test_clustered_standard_error_by_hand():
    # Mean 3/6; residuals a: .5 .5, b: .5 -.5, c: -.5 -.5. SE^2 = 1.5/(6*5) = .05. Products of different items
    # within clusters: a and c 2*.25 each, b -2*.25, together .5; over 36: .0138889. SE_c = sqrt(.0638889)
    # = .252762. Student's t with 2 degrees of freedom: 4.302653.
    estimate = mean_interval([1, 1, 1, 0, 0, 0], ["a", "a", "b", "b", "c", "c"], bounds=NO_ENDS)
    assert estimate.high - estimate.value == pytest.approx(4.302653 * 0.252762, abs=1e-5)
    assert (estimate.n, estimate.clusters) == (6, 3)


@given(clustered)
def test_clustered_standard_error_is_the_papers_sum(items):
    values, labels = np.array([v for v, _ in items]), np.array([c for _, c in items])
    n, residuals = len(values), values - values.mean()
    same = (labels[:, None] == labels[None, :]) & ~np.eye(n, dtype=bool)
    squared = residuals @ residuals / (n * (n - 1)) + (same * np.outer(residuals, residuals)).sum() / n**2
    groups = len(set(labels))
    half = student.ppf(0.975, groups - 1) * sqrt(max(squared, 0))
    estimate = mean_interval(values, labels, bounds=NO_ENDS)
    if np.ptp([values[labels == label].mean() for label in set(labels)]) > 1e-9:
        assert estimate.high - estimate.value == pytest.approx(half, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_without_spread_it_is_wilson_on_the_clusters(value):
    labels = [f"p{i // 2}" for i in range(40)]
    expected = wilson(value * 20, 20)
    means = mean_interval([value] * 40, labels)
    ratio = bootstrap_ratio([2 * value] * 20, [2] * 20)
    for estimate in (means, ratio):
        assert (estimate.low, estimate.high) == pytest.approx((expected.low, expected.high))
        assert (estimate.value, estimate.n, estimate.clusters) == (value, 40, 20)


def test_without_spread_within_and_outside_of_the_bounds():
    tied = mean_interval([0.5] * 256)
    assert tied.low == pytest.approx(0.5 - wilson(0, 256).high / 2)
    assert tied.high == pytest.approx(0.5 + wilson(0, 256).high / 2)
    assert unknown(mean_interval([7.0] * 20))
    assert mean_interval([7.0] * 20, bounds=(1, 10)).low < 7 < mean_interval([7.0] * 20, bounds=(1, 10)).high
    # A judge that always prefers what it reads first: each prompt comes to one half, which proves no tie.
    assert mean_interval([1, 0] * 20, np.repeat(np.arange(20), 2)).high > 0.55


@given(shares, st.floats(0.5, 0.99))
def test_mean_interval_contains_its_value(values, level):
    estimate = mean_interval(values, level=level)
    assert estimate.value == pytest.approx(np.mean(values))
    assert unknown(estimate) or estimate.low <= estimate.value <= estimate.high


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=30), st.randoms())
def test_bootstrap_contains_its_value_and_ignores_order(clusters, random):
    def estimate():
        return bootstrap_ratio([min(k, n) for k, n in clusters], [n for _, n in clusters], resamples=500)

    first = estimate()
    random.shuffle(clusters)
    assert repr(estimate()) == repr(first)  # by their text, for nan is not nan
    if not unknown(first):
        assert 0 <= first.low <= first.value <= first.high <= 1


@given(clustered, st.randoms())
def test_the_order_and_the_names_of_clusters_do_not_matter(items, random):
    first = mean_interval([v for v, _ in items], [c for _, c in items], bounds=(-5, 5))
    names = dict(zip("abcdefg", random.sample(range(100), 7), strict=True))
    random.shuffle(items)
    second = mean_interval([v for v, _ in items], [names[c] for _, c in items], bounds=(-5, 5))
    assert (second.low, second.high) == pytest.approx((first.low, first.high), abs=1e-9)
    assert (second.n, second.clusters) == (first.n, first.clusters)


def test_bootstrap_agrees_with_the_standard_error_and_with_its_seed():
    rng = np.random.default_rng(1)
    values = rng.random((400, 3)) < rng.random((400, 1))
    tops, bottoms = values.sum(axis=1), np.full(400, 3)
    ratio = bootstrap_ratio(tops, bottoms, resamples=4_000)
    means = mean_interval(values.ravel(), np.repeat(np.arange(400), 3))
    assert ratio.value == pytest.approx(means.value)
    assert (ratio.low, ratio.high) == pytest.approx((means.low, means.high), abs=0.004)
    graded = rng.random(400)
    assert bootstrap_ratio(graded, bottoms, seed=1) == bootstrap_ratio(graded, bottoms, seed=1)
    assert bootstrap_ratio(graded, bottoms, seed=1) != bootstrap_ratio(graded, bottoms, seed=2)


def test_chunks_do_not_lose_resamples(monkeypatch):
    tops, bottoms = np.arange(50.0) % 4, np.full(50, 4.0)
    whole = bootstrap_ratio(tops, bottoms, resamples=1_003)
    monkeypatch.setattr("srlm.stats.intervals._CHUNK", 120)  # two resamples at a time, the last one alone
    pieces = bootstrap_ratio(tops, bottoms, resamples=1_003)
    assert (pieces.low, pieces.high) == pytest.approx((whole.low, whole.high), abs=0.02)


@pytest.mark.parametrize(
    "mistake",
    [
        lambda: wilson(3, 2),
        lambda: wilson(1, 2, level=95),
        lambda: mean_interval([0.0, float("nan")]),
        lambda: mean_interval([[0.0, 1.0]]),
        lambda: mean_interval([0.0, 1.0], ["a"]),
        lambda: bootstrap_ratio([1.0], [1.0, 2.0]),
        lambda: bootstrap_ratio([1.0, 1.0], [1.0, -2.0]),
    ],
)
def test_mistakes_of_the_caller_are_refused(mistake):
    with pytest.raises(ValueError, match=r".+"):
        mistake()


def test_coverage_on_clustered_data():
    """300 experiments, 40 prompts with 1 to 6 related answers: about 95 % of the intervals hold the truth."""
    rng, covered = np.random.default_rng(7), 0
    for _ in range(300):
        labels = np.repeat(np.arange(40), rng.integers(1, 7, size=40))
        values = 0.3 + rng.normal(0, 0.2, size=40)[labels] + rng.normal(0, 0.2, size=labels.size)
        estimate = mean_interval(values, labels)
        covered += estimate.low <= 0.3 <= estimate.high
    assert 0.91 <= covered / 300 <= 0.98


# --- the ends of a scale ----------------------------------------------------------------------------------------------

CUT = [
    ("one of three", [1, 0, 0], None, (0, 1)),
    ("a discrete win rate of eight prompts", [1, 1, 1, 0, 0, 0, 0, 0], None, (0, 1)),
    ("pairs of few instructions", [1, 1, 0, 0, 0], ["a", "a", "b", "b", "c"], (0, 1)),
    ("a difference", [1, 1, 0], None, (-1, 1)),
    ("correlations", [0.9, 1.0, -0.2], None, (-1, 1)),
    ("grades", [9, 10, 10, 4], None, (1, 10)),
]


@pytest.mark.parametrize(("values", "clusters", "bounds"), [one[1:] for one in CUT], ids=[one[0] for one in CUT])
def test_an_interval_lies_within_the_ends_of_its_scale(values, clusters, bounds):
    found, without = (mean_interval(values, clusters, bounds=one) for one in (bounds, NO_ENDS))
    assert bounds[0] <= found.low < found.value < found.high <= bounds[1]
    assert without.low < bounds[0] or without.high > bounds[1]
    # Neither is it the other one, cut, which would name an end as a figure that is likely.
    assert bounds[0] < found.low and found.high < bounds[1]
    assert (found.value, found.n, found.clusters) == (without.value, without.n, without.clusters)


@given(st.lists(st.tuples(st.floats(0, 1), st.sampled_from("abcdefg")), min_size=1, max_size=30))
def test_no_interval_of_shares_leaves_its_scale(items):
    estimate = mean_interval([value for value, _ in items], [label for _, label in items])
    assert unknown(estimate) or 0 <= estimate.low <= estimate.value <= estimate.high <= 1


def test_within_the_ends_it_is_wilson_on_the_effective_sample_size():
    # 9 of 10 prompts, clustered by none: p = .9, SE = .1, t(9) = 2.262157; n* = .09 / .01 = 9, k = q^2 / n* = .568595.
    estimate = mean_interval([1] * 9 + [0])
    k, p = 2.262157**2 / 9, 0.9
    centre, reach = (p + k / 2) / (1 + k), 2.262157 * sqrt(p * (1 - p) / 9 + 2.262157**2 / (4 * 81)) / (1 + k)
    assert (estimate.low, estimate.high) == pytest.approx((centre - reach, centre + reach), abs=1e-6)


def test_a_scale_without_ends_keeps_the_ordinary_interval():
    lengths = [100.0, 300.0, 900.0]
    ordinary = mean_interval(lengths, bounds=NO_ENDS)
    assert ordinary.low < 0  # which says that three prompts tell next to nothing
    assert mean_interval(lengths, bounds=ObservedRange((100.0, 900.0))) == ordinary
    assert mean_interval(lengths) == ordinary  # values outside of the bounds have others
    assert mean_interval([0.0, 5.0, 1.0], bounds=(0, inf)).low < 0


@pytest.mark.parametrize(("prompts", "truth"), [(6, 0.5), (8, 0.8), (12, 0.9), (20, 0.95)])
def test_coverage_near_the_ends_of_a_scale(prompts, truth):
    """250 experiments of few prompts with 1 to 4 related answers: with 95 % asked for, at least 92 % hold the truth."""
    rng, covered = np.random.default_rng(11), 0
    for _ in range(250):
        labels = np.repeat(np.arange(prompts), rng.integers(1, 5, size=prompts))
        chance = rng.beta(6 * truth, 6 * (1 - truth), size=prompts)[labels]
        estimate = mean_interval((rng.random(labels.size) < chance).astype(float), labels)
        assert 0 <= estimate.low <= estimate.high <= 1
        covered += estimate.low <= truth <= estimate.high
    assert covered / 250 >= 0.92
