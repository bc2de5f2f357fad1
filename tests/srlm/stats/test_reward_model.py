"""The reward-model metrics against a small, slow computation written from their definitions."""

import gzip
import json
from itertools import count
from math import isnan, sqrt
from statistics import mean

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.stats import kendalltau, spearmanr

from helpers.paths import SHARED_DATA
from srlm.stats.intervals import wilson
from srlm.stats.reward_model import Ranked, reward_model_metrics

reply = st.tuples(
    st.integers(0, 3), st.sampled_from([None, 0.0, 1.0, 2.5, 4.0, 4.5, 5.0]), st.sampled_from([10, 20, 300])
)
groups_of_replies = st.lists(st.lists(reply, max_size=5), max_size=8)


def ranked(replies):
    return Ranked(
        ranks=tuple(r for r, _, _ in replies),
        scores=tuple(s for _, s, _ in replies),
        lengths=tuple(n for _, _, n in replies),
    )


def sign(x):
    return (x > 0) - (x < 0)


def readable_pairs(replies):
    """Every pair (better, worse) in human eyes, of which both scores are known."""
    known = [r for r in replies if r[1] is not None]
    return [(one, other) for one in known for other in known if one[0] < other[0]]


def slow_accuracy(signs, ties):
    if ties == "exclude":
        signs = [s for s in signs if s]
    credit = {1: 1.0, -1: 0.0, 0: 0.5 if ties == "half" else 0.0}
    return mean(credit[s] for s in signs) if signs else None


def slow_exact(replies):
    if any(s is None for _, s, _ in replies) or len({r for r, _, _ in replies}) < 2:
        return None
    if len({s for _, s, _ in replies}) < len(replies):
        return False
    by_score = [r for r, _, _ in sorted(replies, key=lambda x: -x[1])]
    return by_score == sorted(by_score)


def slow_tau_b(replies):
    known = [(r, s) for r, s, _ in replies if s is not None]
    pairs = [(known[i], known[j]) for i in range(len(known)) for j in range(i)]
    product = [sign(b[0] - a[0]) * sign(a[1] - b[1]) for a, b in pairs]
    untied = [sum(a[k] != b[k] for a, b in pairs) for k in (0, 1)]
    return sum(product) / sqrt(untied[0] * untied[1]) if all(untied) else None


def slow_spearman(replies):
    known = [(-r, s) for r, s, _ in replies if s is not None]

    def places(values):  # the mean place of equal values
        return [sum(v < x for v in values) + (values.count(x) + 1) / 2 for x in values]

    if len({r for r, _ in known}) < 2 or len({s for _, s in known}) < 2:
        return None
    x, y = places([r for r, _ in known]), places([s for _, s in known])
    mx, my = mean(x), mean(y)
    covariance = sum((a - mx) * (b - my) for a, b in zip(x, y, strict=True))
    return covariance / sqrt(sum((a - mx) ** 2 for a in x) * sum((b - my) ** 2 for b in y))


def same(estimate, expected):
    """`expected` is a list of contributions, or one value; without any the estimate must be unknown."""
    expected = mean(expected) if isinstance(expected, list) and expected else expected
    if expected is None or expected == []:
        return isnan(estimate.value) and isnan(estimate.low) and isnan(estimate.high)
    return estimate.value == pytest.approx(expected)


@pytest.mark.filterwarnings("error")
@settings(max_examples=150, deadline=None)
@given(groups_of_replies, st.sampled_from(["exclude", "wrong", "half"]), st.sampled_from([4.5, 5.0]))
@example([], "exclude", 5.0)
@example([[]], "half", 5.0)
@example([[(0, None, 10), (1, None, 20)]], "wrong", 5.0)  # nothing could be read
@example([[(0, 3.0, 10), (1, 3.0, 20)]], "exclude", 5.0)  # the judge sees no difference
@example([[(2, 3.0, 10), (2, 4.0, 20)]], "half", 5.0)  # nor do people
@example([[(0, None, 10), (1, 5.0, 20), (1, 4.0, 20)]], "exclude", 5.0)  # the best reply is unread
def test_metrics_against_the_slow_computation(groups, ties, perfect):
    agrees_with_the_slow_computation(groups, ties, perfect)


def agrees_with_the_slow_computation(groups, ties, perfect):
    metrics = reward_model_metrics([ranked(g) for g in groups], ties=ties, perfect=perfect, resamples=200)
    pairs = [pair for g in groups for pair in readable_pairs(g)]
    scored = [sign(a[1] - b[1]) for a, b in pairs]
    longer = [sign(a[2] - b[2]) for a, b in pairs if ties != "exclude" or a[1] != b[1]]
    assert same(metrics.pairwise_accuracy, slow_accuracy(scored, ties))
    assert same(metrics.longer_wins, slow_accuracy(longer, ties))
    assert same(metrics.tie_rate, [s == 0 for s in scored])
    alike = [sign(a[1] - b[1]) for a, b in pairs if max(a[2], b[2]) <= 1.25 * min(a[2], b[2])]
    assert same(metrics.similar_length, slow_accuracy(alike, ties))
    best = [r == min(x for x, _, _ in g) for g in groups for r, s, _ in g if s is not None and s >= perfect]
    assert same(metrics.five_best, best)
    assert same(metrics.exact_match, [m for g in groups if (m := slow_exact(g)) is not None])
    taus = [tau for g in groups if (tau := slow_tau_b(g)) is not None]
    rhos = [rho for g in groups if (rho := slow_spearman(g)) is not None]
    assert same(metrics.kendall_tau_b, taus)
    assert same(metrics.spearman, rhos)
    assert metrics.undefined_correlations == len(groups) - len(taus)
    assert metrics.instructions == len(groups)
    assert metrics.replies == sum(map(len, groups))
    assert metrics.unread == sum(s is None for g in groups for _, s, _ in g)


def test_kendall_is_scipys():
    ranks, scores = (0, 1, 2, 3, 3), (4.0, 5.0, 3.0, 3.0, 1.0)
    metrics = reward_model_metrics([Ranked(ranks, scores, (1, 1, 1, 1, 1))])
    expected = kendalltau([-r for r in ranks], scores, variant="b").statistic
    assert metrics.kendall_tau_b.value == pytest.approx(expected)
    assert isnan(metrics.kendall_tau_b.low)  # one instruction cannot say how far another would differ


def test_a_case_by_hand():
    groups = [
        Ranked((0, 1, 2), (5.0, 4.0, 4.0), (300, 200, 100)),  # right, right, tie
        Ranked((0, 1), (2.0, 5.0), (10, 20)),  # wrong
        Ranked((1, 0, 2), (3.0, 5.0, None), (10, 20, 30)),  # right; the third is unread
        Ranked((0, 1), (4.0, 1.0), (50, 50)),  # right
    ]
    metrics = reward_model_metrics(groups)
    assert metrics.pairwise_accuracy.value == pytest.approx(4 / 5)
    assert (metrics.pairwise_accuracy.n, metrics.pairwise_accuracy.clusters) == (5, 4)
    assert reward_model_metrics(groups, ties="wrong").pairwise_accuracy.value == pytest.approx(4 / 6)
    assert reward_model_metrics(groups, ties="half").pairwise_accuracy.value == pytest.approx(4.5 / 6)
    assert metrics.tie_rate.value == pytest.approx(1 / 6)
    assert metrics.five_best.value == pytest.approx(2 / 3)
    assert metrics.exact_match == wilson(1, 3)  # the third has no full order
    assert metrics.longer_wins.value == pytest.approx(3 / 4)  # right, right, wrong, right; equal lengths leave
    assert (metrics.replies, metrics.unread, metrics.undefined_correlations) == (10, 1, 0)


def test_equal_human_ranks_leave_the_order_open_but_equal_scores_never_match():
    def exact(ranks, scores):
        return reward_model_metrics([Ranked(ranks, scores, (1, 1, 1))], resamples=10).exact_match.value

    assert exact((0, 1, 1), (5.0, 3.0, 4.0)) == exact((0, 1, 1), (5.0, 4.0, 3.0)) == 1
    assert exact((0, 1, 1), (4.0, 5.0, 3.0)) == 0
    assert exact((0, 1, 1), (5.0, 3.0, 3.0)) == 0


def test_a_perfect_judge_is_not_certain():
    metrics = reward_model_metrics([Ranked((0, 1), (5.0, 1.0), (10, 20))] * 30)
    for estimate in (metrics.pairwise_accuracy, metrics.five_best, metrics.exact_match):
        assert (estimate.value, estimate.high) == (1, 1)
        assert estimate.low == pytest.approx(wilson(30, 30).low)
    assert metrics.spearman.low < metrics.spearman.value == metrics.spearman.high == pytest.approx(1)
    assert metrics.longer_wins.value == 0


def test_a_reply_without_its_score_is_refused():
    with pytest.raises(ValueError, match="one score"):
        Ranked((0, 1), (5.0,), (1, 2))


def test_pairs_of_similar_length_and_scores_against_length_by_hand():
    groups = [
        Ranked((0, 1), (5.0, 1.0), (100, 125)),  # right, and alike
        Ranked((0, 1), (1.0, 5.0), (100, 126)),  # wrong, and the one is longer by more than a quarter
        Ranked((0, 1), (2.0, 3.0), (90, 80)),  # wrong, and alike
        Ranked((0, 1), (4.0, None), (10, 10)),  # unread
    ]
    metrics = reward_model_metrics(groups)
    assert (metrics.similar_length.value, metrics.similar_length.n) == (0.5, 2)
    lengths, scores = (100, 125, 100, 126, 90, 80, 10), (5.0, 1.0, 1.0, 5.0, 2.0, 3.0, 4.0)
    assert metrics.score_and_length.value == pytest.approx(spearmanr(lengths, scores).statistic)
    assert metrics.score_and_length.n == 7
    assert metrics.score_and_length.clusters == 4


SCORES = {
    "by length": lambda index, rank, length: float(length),
    "whole points, many ties": lambda index, rank, length: float(length // 400 % 6),
    "all tied": lambda index, rank, length: 3.0,
    "as people": lambda index, rank, length: -float(rank),
    "thirds, some unread": lambda index, rank, length: None if index % 5 == 0 else (index * 7 % 16) / 3,
    "fives": lambda index, rank, length: 5.0 if index % 3 else 4.0,
}


@pytest.mark.parametrize("ties", ["exclude", "wrong", "half"])
@pytest.mark.parametrize("way", SCORES)
def test_all_of_open_assistants_validation_against_the_slow_computation(way, ties, ranked_validation):
    index = count()
    groups = [
        [(one["rank"], SCORES[way](next(index), one["rank"], len(one["text"])), len(one["text"])) for one in responses]
        for responses in ranked_validation
    ]
    assert (len(groups), sum(map(len, groups))) == (140, 363)
    agrees_with_the_slow_computation(groups, ties, 5.0)


@pytest.fixture(scope="module")
def ranked_validation():
    path = SHARED_DATA / "oasst2/ranked_validation.jsonl.gz"
    if not path.exists():
        pytest.skip("needs Open Assistant's rankings, ../shared/data/oasst2, which are not part of srlm")
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line)["responses"] for line in file]
