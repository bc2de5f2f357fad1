"""Rank correlation, against scipy's, and where there is none."""

from math import isnan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from srlm.stats.correlation import spearman


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 9)), min_size=4, max_size=30))
def test_the_value_is_that_of_scipy(pairs):
    x, y = zip(*pairs, strict=True)
    found = spearman(x, y, resamples=50)
    if len(set(x)) == 1 or len(set(y)) == 1:
        assert isnan(found.value)
    else:
        assert found.value == pytest.approx(spearmanr(x, y).statistic)
    assert not found.low > found.high
    assert found.n == len(pairs)


@pytest.mark.parametrize("truth", [0.0, 0.6])
def test_the_interval_holds_the_truth_about_as_often_as_it_says(truth):
    rng = np.random.default_rng(1)
    rank_truth = 6 / np.pi * np.arcsin(truth / 2)
    held = 0
    for seed in range(60):
        x = rng.normal(size=80)
        y = truth * x + np.sqrt(1 - truth**2) * rng.normal(size=80)
        found = spearman(x, y, resamples=200, seed=seed)
        held += found.low <= rank_truth <= found.high
    assert 51 <= held <= 60


def test_copies_of_an_instruction_do_not_narrow_the_interval():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=30), rng.normal(size=30)
    once = spearman(x, y)
    copied = spearman(np.repeat(x, 10), np.repeat(y, 10), np.repeat(np.arange(30), 10))
    assert copied.value == pytest.approx(once.value)
    assert copied.high - copied.low == pytest.approx(once.high - once.low, rel=0.1)
    assert (copied.n, copied.clusters) == (300, 30)


@pytest.mark.parametrize(("x", "y"), [([], []), ([1], [2]), ([1, 2, 3], [4, 4, 4])])
def test_where_nothing_varies_there_is_no_correlation(x, y):
    assert isnan(spearman(x, y).value)


def test_a_perfect_order_has_no_interval_rather_than_one_of_width_nought():
    found = spearman(range(9), range(9))
    assert found.value == pytest.approx(1)
    assert isnan(found.low)


def test_shapes_must_agree():
    with pytest.raises(ValueError, match="not 2 and 3"):
        spearman([1, 2], [1, 2, 3])
