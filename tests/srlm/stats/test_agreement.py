"""Kappa: by hand, against scikit-learn where it is installed, and its symmetries."""

from math import isnan, nan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srlm.stats.agreement import cohen_kappa, mean_kappa

grades = st.integers(0, 5)
rated = st.lists(st.tuples(grades, grades, st.sampled_from("abcdefgh")), min_size=2, max_size=40)


def kappa(rows, **options):
    return cohen_kappa([a for a, _, _ in rows], [b for _, b, _ in rows], [c for _, _, c in rows], **options)


def test_kappa_by_hand():
    # 20 both yes, 15 both no, 5 and 10 apart: po = .7, pe = .5 * .6 + .5 * .4 = .5.
    one = ["yes"] * 25 + ["no"] * 25
    two = ["yes"] * 20 + ["no"] * 5 + ["yes"] * 10 + ["no"] * 15
    found = cohen_kappa(one, two)
    assert found.value == pytest.approx(0.4)
    assert (found.n, found.clusters) == (50, 50)
    assert found.low < 0.4 < found.high


@settings(deadline=None)  # the first import takes long
@given(rated)
def test_kappa_is_that_of_scikit_learn(rows):
    metrics = pytest.importorskip("sklearn.metrics")
    one, two = [a for a, _, _ in rows], [b for _, b, _ in rows]
    if len({*one, *two}) < 2:
        return
    found = cohen_kappa(one, two, resamples=1).value
    assert found == pytest.approx(metrics.cohen_kappa_score(one, two, labels=range(6)))


@given(rated)
def test_bounds_symmetry_order_and_relabelling(rows):
    found = kappa(rows, resamples=50)
    if isnan(found.value):
        assert len({x for a, b, _ in rows for x in (a, b)}) == 1
        return
    assert found.value <= 1
    swapped = kappa([(b, a, c) for a, b, c in rows], resamples=50)
    turned = kappa(rows[::-1], resamples=50)
    mirrored = kappa([(5 - a, 5 - b, c) for a, b, c in rows], resamples=50)
    assert swapped.value == turned.value == pytest.approx(found.value)
    assert mirrored.value == pytest.approx(found.value)
    assert (turned.low, turned.high) == pytest.approx((found.low, found.high), nan_ok=True)
    if not isnan(found.low):
        assert found.low <= found.high <= 1


def test_independent_raters_have_none_and_a_near_miss_is_a_miss():
    rng = np.random.default_rng(0)
    one = rng.integers(0, 6, 3_000)
    chance = cohen_kappa(one, rng.integers(0, 6, 3_000))
    assert chance.low < 0 < chance.high
    near = np.clip(one + rng.choice([-1, 1], 3_000), 0, 5)
    assert cohen_kappa(one, near).value < 0.3


def test_clusters_that_repeat_do_not_make_it_surer():
    rng = np.random.default_rng(2)
    one = rng.integers(0, 3, 60)
    two = np.where(rng.random(60) < 0.6, one, rng.integers(0, 3, 60))
    single = cohen_kappa(one, two)
    fourfold = cohen_kappa(np.tile(one, 4), np.tile(two, 4), np.tile(np.arange(60), 4))
    assert (fourfold.value, fourfold.low, fourfold.high) == pytest.approx((single.value, single.low, single.high))
    assert (fourfold.n, fourfold.clusters) == (240, 60)


def test_what_cannot_be_told_is_nan():
    assert isnan(cohen_kappa([], []).value)
    assert isnan(cohen_kappa([4, 4, 4], [4, 4, 4]).value)
    full = cohen_kappa([1, 2, 3], [1, 2, 3])
    assert (full.value, isnan(full.low)) == (1, True)
    one = cohen_kappa([1, 2, 3], [1, 2, 2], ["p", "p", "p"])
    assert (one.clusters, isnan(one.low)) == (1, True)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ([1], [1, 2]),
        ([1.0, nan], [1.0, 2.0]),
        ([1, nan, 2], [1, nan, 1]),  # two unparsed verdicts are no agreement
    ],
)
def test_what_is_no_rating_is_refused(a, b):
    with pytest.raises(ValueError, match=r"ratings|finite"):
        cohen_kappa(a, b)


choices = st.sampled_from(["win", "tie", "loss"])


@given(st.lists(st.tuples(choices, choices), min_size=1, max_size=30))
def test_the_mean_kappa_of_two_raters_is_cohens(rows):
    one, two = ([row[place] for row in rows] for place in (0, 1))
    found, expected = mean_kappa([one, two]), cohen_kappa(one, two)
    assert (found.n, found.clusters) == (expected.n, expected.clusters)
    for a, b in zip((found.value, found.low, found.high), (expected.value, expected.low, expected.high), strict=True):
        assert a == pytest.approx(b, nan_ok=True)


def test_the_mean_kappa_of_three_by_hand_on_what_each_two_rated():
    a = ["win", "win", "loss", "loss", None]
    b = ["win", "win", "loss", "loss", "win"]
    c = ["win", "loss", "loss", "win", None]
    # a and b agree everywhere; c agrees with either in two of four, which is chance.
    assert cohen_kappa(a[:4], c[:4]).value == 0
    found = mean_kappa([a, b, c])
    assert found.value == pytest.approx((1 + 0 + 0) / 3)
    assert (found.n, found.clusters) == (4, 4)
    assert mean_kappa([c, a, b]).value == found.value


def test_raters_without_a_kappa_are_left_out_of_the_mean():
    a, b, always = ["win", "loss"], ["win", "loss"], ["win", "win"]
    never = [None, None]
    assert mean_kappa([a, b, never]).value == 1
    assert isnan(mean_kappa([always, always]).value)
    assert isnan(mean_kappa([a]).value)
    assert isnan(mean_kappa([]).value)
    # "always" has a kappa of 0 with either: agreement is what its habit gives.
    assert mean_kappa([a, b, always]).value == pytest.approx(1 / 3)


def test_raters_of_other_items_are_refused():
    with pytest.raises(ValueError, match="same items"):
        mean_kappa([["win"], ["win", "tie"]])
