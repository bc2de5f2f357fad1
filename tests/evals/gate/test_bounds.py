"""What a difference shows: the comparison's interval at another confidence, and a bound that holds with few prompts."""

from dataclasses import asdict, replace
from math import sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtri, stdtrit
from scipy.stats import binom

from evals.gate.bounds import evidence
from evals.gate.comparison_json import Difference
from helpers.comparisons import comparison, rates, row
from srlm.stats.intervals import mean_interval, wilson
from srlm.stats.power import prompts_needed


def shown(one, better="more"):
    (found,) = comparison(one).metrics
    return evidence(found.models["M2"].difference, better)


def spread(n):
    """Baseline and candidate with differences that are all different, and far from rare."""
    return [0.5] * n, [0.5 + 0.4 * (i / (n - 1) - 0.4) for i in range(n)]


@pytest.mark.parametrize("risk", [0.05, 0.01, 0.2])
def test_the_bound_is_the_comparisons_interval_at_another_confidence(risk):
    baseline, candidate = spread(2000)
    found = shown(row("win_rate", baseline, candidate))
    differences = [b - a for a, b in zip(baseline, candidate, strict=True)]
    wanted = mean_interval(differences, level=1 - 2 * risk)
    # What it has beyond that is within 1 % of it with so many prompts, and never makes it narrower.
    width = wanted.high - wanted.low
    assert wanted.low - width / 100 <= found.lower_bound(risk) <= wanted.low
    assert wanted.high <= found.upper_bound(risk) <= wanted.high + width / 100


def test_the_bound_by_hand():
    found = shown(rates("prompt_strict", both=80, gained=5, lost=10, neither=5))
    n, mean, imbalance = 100, -0.05, -1 / 3
    variance = (15 - n * mean**2) / (n - 1)
    assert (found.value, found.variance, found.size, found.imbalance) == pytest.approx((mean, variance, 1.0, imbalance))
    z, t = float(ndtri(0.95)), float(stdtrit(n - 1, 0.95))
    half = t * sqrt(variance / n + (z / n) ** 2)
    assert found.lower_bound(0.05) == pytest.approx(mean - half - (1 + 2 * z**2) / (6 * n) / 3)
    assert found.upper_bound(0.05) == pytest.approx(mean + half)


def test_where_nothing_differs_the_bound_is_wilsons():
    found = shown(rates("prompt_strict", both=400, gained=0, lost=0, neither=100))
    assert (found.value, found.variance, found.size, found.imbalance) == pytest.approx((0, 0, 1, 0))
    assert -found.lower_bound(0.025) == pytest.approx(wilson(0, 500).high, rel=0.02)
    assert -found.lower_bound(0.025) > wilson(0, 500).high
    assert found.upper_bound(0.025) == pytest.approx(-found.lower_bound(0.025))


def test_lengths_know_how_far_they_can_differ_from_what_was_seen():
    found = shown(row("length", [100, 500, 300], [100, 500, 300], unit="chars", better="neither"), "less")
    assert (found.variance, found.size) == pytest.approx((0, 400))


def test_one_prompt_and_none_say_nothing():
    assert shown(row("win_rate", [0.5], [0.6])) is None
    assert shown(row("win_rate", [], [])) is None


def lost_of(prompts, lost):
    """The difference of a candidate that fails on some prompts, and never does better."""
    one = mean_interval([0.0] * (prompts - lost) + [-1.0] * lost, bounds=(-1, 1))
    return Difference(**asdict(one), wins=0, ties=prompts - lost, losses=lost)


@pytest.mark.parametrize("risk", [0.05, 0.01])
@pytest.mark.parametrize(
    ("prompts", "margin"), [(20, 0.3), (50, 0.05), (50, 0.1), (100, 0.05), (256, 0.1), (805, 0.02)]
)
def test_a_candidate_that_only_ever_loses_passes_in_at_most_the_stated_risk(prompts, margin, risk):
    """The worst there is for Student's interval: it fails in exactly the margin, the baseline never. Exact shares."""
    passing, by_student = 0.0, 0.0
    for lost in range(prompts + 1):
        chance = float(binom.pmf(lost, prompts, margin))
        found = evidence(lost_of(prompts, lost), "more")
        passing += chance * (found.lower_bound(risk) > -margin)
        half = float(stdtrit(prompts - 1, 1 - risk)) * sqrt(found.variance / prompts)
        by_student += chance * (found.value - half > -margin)
    assert passing <= risk < by_student


def test_a_figure_that_is_no_mean_of_prompts_has_its_interval_alone():
    """As a length-controlled rate: the interval is a bootstrap's, and nothing is known of single prompts."""
    known = Difference(value=0.02, low=-0.01, high=0.05, n=805, clusters=805, wins=0, ties=0, losses=0)
    found = evidence(known, "more")
    assert (found.size, found.imbalance) == (0, 0)
    assert found.lower_bound(0.025) == pytest.approx(-0.01)
    assert found.upper_bound(0.025) == pytest.approx(0.05)
    assert found.prompts_needed(0.05, 0.05, 0.8) < 805


differences = st.lists(st.sampled_from([-1.0, -0.5, 0.0, 0.25, 1.0]), min_size=2, max_size=60)


@given(differences, st.floats(0.001, 0.4), st.floats(0.001, 0.4))
def test_less_risk_is_a_wider_bound_and_the_two_sides_are_mirrors(gaps, one, two):
    found = shown(row("win_rate", [0.0] * len(gaps), gaps))
    less, more = sorted((one, two))
    assert found.lower_bound(less) <= found.lower_bound(more) <= found.value
    assert found.value <= found.upper_bound(more) <= found.upper_bound(less)
    turned = shown(row("win_rate", [0.0] * len(gaps), gaps), "less")
    assert turned.lower_bound(one) == pytest.approx(-found.upper_bound(one))
    other = shown(row("win_rate", [0.0] * len(gaps), [-gap for gap in gaps]))
    assert other.lower_bound(one) == pytest.approx(-found.upper_bound(one))


@given(differences, st.floats(0.01, 0.5), st.floats(0.01, 0.2), st.floats(0.5, 0.95))
def test_the_number_of_prompts_is_the_smallest_that_is_enough(gaps, distance, risk, power):
    found = shown(row("win_rate", [0.0] * len(gaps), gaps))
    enough = found.prompts_needed(distance, risk, power)

    def clears(prompts):
        chance = float(ndtri(power)) * sqrt(found.variance / prompts)
        return found.value - replace(found, prompts=prompts).lower_bound(risk) + chance <= distance + 1e-12

    assert enough is not None
    assert clears(enough)
    assert enough == 2 or not clears(enough - 1)


def test_with_many_prompts_their_number_is_that_of_the_kernels_formula():
    found = shown(row("win_rate", *spread(2000)))
    ours = found.prompts_needed(0.005, 0.05, 0.8)
    assert ours == pytest.approx(prompts_needed(0.005, found.variance, level=0.9, power=0.8), rel=0.01)
    assert found.prompts_needed(0.0, 0.05, 0.8) is None
    assert found.prompts_needed(1e-9, 0.05, 0.8) is None
