"""Paired comparisons: golden p values of the paper's Figure 3, exact enumeration by hand, and symmetries."""

from itertools import product
from math import isnan, nan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import permutation_test

from srlm.stats.intervals import mean_interval, wilson
from srlm.stats.paired import holm, paired_difference, sign_test

scores = st.floats(0, 1).map(lambda x: round(x, 3))
items = st.lists(st.tuples(scores, scores, st.sampled_from("abcdefghij")), min_size=1, max_size=30)
p_values = st.lists(st.floats(0, 1), max_size=12)


# The counts are derived from the percentages of arXiv 2401.10020 (Figures 3 and 8, 256 prompts each); the p
# values were computed from them apart from this code, to the digits that stand here.
@pytest.mark.parametrize(
    ("wins", "losses", "printed"),
    [(78, 79, "1"), (126, 37, "1.5e-12"), (160, 25, "2.7e-25"), (89, 73, "0.24"), (99, 43, "3e-06")],
)
def test_sign_test_of_the_papers_counts(wins, losses, printed):
    digits = len(printed.partition("e")[0].lstrip("0.").replace(".", ""))
    assert f"{sign_test(wins, losses):.{digits}g}" == printed
    assert sign_test(losses, wins) == sign_test(wins, losses)


def test_sign_test_by_hand():
    assert sign_test(0, 0) == 1
    assert sign_test(5, 0) == pytest.approx(2 / 2**5)
    assert sign_test(1, 5) == pytest.approx(2 * (1 + 6) / 2**6)


def test_exact_permutation_by_hand():
    # Differences 3, 2, 1, -1: total 5. Of the 16 sign patterns 7 (all positive), 5 (one of the two 1s turned)
    # and their negatives reach it: 6 of 16.
    paired = paired_difference([3, 2, 1, 0, 4], [0, 0, 0, 1, 4])
    assert paired.p_value == pytest.approx(6 / 16)
    assert (paired.wins, paired.ties, paired.losses) == (3, 1, 1)
    assert paired.difference.value == pytest.approx(1)


@settings(max_examples=50)
@given(items)
def test_exact_permutation_against_brute_force(rows):
    paired = paired_difference([a for a, _, _ in rows], [b for _, b, _ in rows], [c for _, _, c in rows])
    sums = {}
    for a, b, c in rows:  # in whole thousandths, so that equal totals are equal
        sums[c] = sums.get(c, 0) + round(1000 * a) - round(1000 * b)
    totals = [abs(sum(sign * s for sign, s in zip(signs, sums.values(), strict=True)))
              for signs in product((1, -1), repeat=len(sums))]  # fmt: skip
    assert paired.p_value == pytest.approx(np.mean([total >= abs(sum(sums.values())) for total in totals]))


def test_random_flips_agree_with_scipy_and_are_never_zero():
    rng = np.random.default_rng(3)
    a, b = rng.random(60), rng.random(60) - 0.08
    expected = permutation_test((a - b,), np.mean, permutation_type="samples", n_resamples=20_000, rng=rng)
    assert paired_difference(a, b).p_value == pytest.approx(expected.pvalue, abs=0.02)
    certain = paired_difference(np.ones(200) + a[:1], np.zeros(200))
    assert certain.p_value == pytest.approx(1 / 20_001)


def test_exact_and_random_agree_at_the_border():
    rng = np.random.default_rng(5)
    a, b = rng.random(14) + 0.15, rng.random(14)
    exact = paired_difference(a, b).p_value
    # One more cluster with next to no difference takes the random path and changes next to nothing.
    drawn = paired_difference(np.append(a, 0.500001), np.append(b, 0.5)).p_value
    assert exact == pytest.approx(drawn, abs=0.015)


def test_identical_models_are_equal_and_not_certainly_so():
    paired = paired_difference([0.5, 1, 0] * 20, [0.5, 1, 0] * 20)
    u = wilson(0, 60).high
    assert paired.p_value == 1
    assert (paired.wins, paired.ties, paired.losses) == (0, 60, 0)
    assert (paired.difference.low, paired.difference.high) == pytest.approx((-u, u))
    graded = paired_difference([7.0] * 60, [7.0] * 60, bounds=(1, 10)).difference
    assert (graded.low, graded.high) == pytest.approx((-9 * u, 9 * u))


def test_no_data_and_one_cluster():
    nothing = paired_difference([], [])
    assert isnan(nothing.p_value)
    assert isnan(nothing.difference.value)
    assert (nothing.wins, nothing.ties, nothing.losses) == (0, 0, 0)
    one = paired_difference([1, 1], [0, 0], ["p", "p"])
    assert (one.p_value, one.difference.value, one.wins) == (1.0, 1.0, 2)
    assert isnan(one.difference.low)


def test_pairing_pays_and_clusters_count():
    rng = np.random.default_rng(11)
    difficulty = rng.random(300)
    a = difficulty + rng.normal(0.02, 0.03, 300)
    paired = paired_difference(a, difficulty)
    assert paired.difference.low > 0
    assert paired.p_value < 0.001
    assert mean_interval(a).low < difficulty.mean()
    # The same verdicts written down five times are no new evidence.
    labels = np.repeat(np.arange(300), 5)
    again = paired_difference(np.repeat(a, 5), np.repeat(difficulty, 5), labels)
    assert again.p_value == pytest.approx(paired.p_value, abs=0.001)
    assert again.difference.low == pytest.approx(paired.difference.low, rel=0.02)


@settings(max_examples=60, deadline=None)
@given(items)
def test_swapping_the_models_negates_the_difference_and_keeps_p(rows):
    a, b, c = zip(*rows, strict=True)
    one, other = paired_difference(a, b, c), paired_difference(b, a, c)
    assert other.p_value == one.p_value
    assert (other.wins, other.ties, other.losses) == (one.losses, one.ties, one.wins)
    assert [other.difference.value, other.difference.low, other.difference.high] == pytest.approx(
        [-one.difference.value, -one.difference.high, -one.difference.low], nan_ok=True, abs=1e-12
    )


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(scores, scores), min_size=15, max_size=40), st.randoms())
def test_the_order_of_the_prompts_does_not_matter(rows, random):
    one = paired_difference(*zip(*rows, strict=True))
    random.shuffle(rows)
    other = paired_difference(*zip(*rows, strict=True))
    assert other.p_value == pytest.approx(one.p_value, abs=1e-3)
    assert other.difference.low == pytest.approx(one.difference.low, abs=1e-9)


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []
    adjusted = holm([0.01, nan, 0.04])
    assert isnan(adjusted[1])
    assert [adjusted[0], adjusted[2]] == pytest.approx([0.02, 0.04])


@given(p_values)
def test_holm_is_monotone_and_never_below_the_raw_value(raw):
    adjusted = holm(raw)
    assert all(p <= q <= 1 for p, q in zip(raw, adjusted, strict=True))
    assert not raw or min(adjusted) == min(1, min(raw) * len(raw))
    in_order = [q for _, q in sorted(zip(raw, adjusted, strict=True))]
    assert in_order == sorted(in_order)


def test_scores_of_other_prompts_are_refused():
    with pytest.raises(ValueError, match="same prompts"):
        paired_difference([1.0], [1.0, 0.0])
