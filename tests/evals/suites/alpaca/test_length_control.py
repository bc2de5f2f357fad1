"""Length control by its properties, on made-up verdicts. Against published figures: test_alpaca_recomputed.py."""

from math import isnan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from evals.suites.alpaca.length_control import DIFFICULTY_WEIGHT, GRID, AlpacaDifficulties, length_controlled

SEEDS = st.integers(0, 10_000)
WAYS = st.sampled_from(["published", "held", "fitted"])


def verdicts(seed, n=60, length=-1.5, own=0.4):
    """Gaps and preferences of a judge with a liking for length, and difficulties with the rows of two variants."""
    rng = np.random.default_rng(seed)
    gaps, difficulty = rng.normal(rng.normal(scale=300), 500, n).round(), rng.normal(size=n)
    preferences = np.round(expit(length * np.tanh(gaps / gaps.std(ddof=1)) + difficulty + own), 3)
    row_tanh, row_difficulty = np.tanh(rng.normal(size=2 * n)), np.tile(difficulty, 2)
    difficulties = AlpacaDifficulties(
        difficulty, row_tanh, row_difficulty, expit(length * row_tanh + 0.2 * rng.normal(size=2 * n))
    )
    return gaps, preferences, difficulties


def fit(gaps, preferences, difficulties, way, places=None, strength=2.0, resamples=0):
    return length_controlled(
        gaps,
        preferences,
        difficulties if way == "published" else None,
        places,
        way=way,
        strength=strength,
        resamples=resamples,
    )


@given(seed=SEEDS, strength=st.sampled_from(list(GRID)))
@settings(deadline=None, max_examples=60)
def test_the_published_fit_is_the_optimum_of_the_published_objective(seed, strength):
    gaps, preferences, difficulties = verdicts(seed)
    found = fit(gaps, preferences, difficulties, "published", strength=strength)
    w = np.array([found.length, found.difficulty, found.own])
    tanh = np.concatenate([difficulties.row_tanh, np.tanh(gaps / gaps.std(ddof=1))])
    own = np.concatenate([np.zeros(difficulties.row_tanh.size), np.ones(gaps.size)])
    x = np.stack([tanh, np.concatenate([difficulties.row_difficulty, difficulties.difficulty]), own])
    y = np.concatenate([difficulties.row_preference, preferences])
    gradient = x @ (strength * np.where(own, 1.0, DIFFICULTY_WEIGHT) * (expit(w @ x) - y))
    rest = np.where(w != 0, gradient + np.sign(w), np.maximum(np.abs(gradient) - 1, 0))
    assert np.abs(rest).max() <= 1e-6 * max(1.0, strength)
    assert found.estimate.value == pytest.approx(expit(found.difficulty * difficulties.difficulty + found.own).mean())


@given(seed=SEEDS, way=WAYS)
@settings(deadline=None, max_examples=60)
def test_the_order_of_the_rows_does_not_matter(seed, way):
    gaps, preferences, difficulties = verdicts(seed)
    order = np.random.default_rng(seed).permutation(gaps.size)
    one = fit(gaps, preferences, difficulties, way)
    two = fit(gaps[order], preferences[order], difficulties, way, places=order)
    assert two.estimate.value == pytest.approx(one.estimate.value, abs=1e-8)


@given(seed=SEEDS, way=WAYS)
@settings(deadline=None, max_examples=60)
def test_with_model_and_baseline_exchanged_the_rates_sum_to_one(seed, way):
    gaps, preferences, difficulties = verdicts(seed)
    # The variants are of the baseline: exchanged, their rows must speak of the other side too.
    mirrored = AlpacaDifficulties(
        difficulties.difficulty, -difficulties.row_tanh, difficulties.row_difficulty, 1 - difficulties.row_preference
    )
    one = fit(gaps, preferences, difficulties, way)
    two = fit(-gaps, 1 - preferences, mirrored, way)
    assert one.estimate.value + two.estimate.value == pytest.approx(1, abs=1e-8)
    assert two.own == pytest.approx(-one.own, abs=1e-7)
    assert two.length == pytest.approx(one.length, abs=1e-7)


@given(seed=SEEDS, way=WAYS, factor=st.sampled_from([0.01, 7.0]))
@settings(deadline=None, max_examples=30)
def test_the_unit_of_length_does_not_matter(seed, way, factor):
    gaps, preferences, difficulties = verdicts(seed)
    one, two = fit(gaps, preferences, difficulties, way), fit(factor * gaps, preferences, difficulties, way)
    assert two.estimate.value == pytest.approx(one.estimate.value, abs=1e-8)


def test_a_judge_of_length_alone_gives_one_half_to_a_model_that_is_only_shorter():
    rng = np.random.default_rng(1)
    gaps = rng.normal(400, 500, 500)
    preferences = expit(-3 * np.tanh(gaps / gaps.std(ddof=1)))
    assert preferences.mean() < 0.3
    found = length_controlled(gaps, preferences, resamples=200)
    assert found.estimate.value == pytest.approx(0.5, abs=1e-3)
    assert found.length == pytest.approx(-3, abs=1e-2)


def test_the_interval_refits_and_is_the_same_each_time():
    gaps, preferences, difficulties = verdicts(3)
    preferences = np.round(preferences)
    one, two = (fit(gaps, preferences, difficulties, "published", resamples=300).estimate for _ in range(2))
    assert one == two
    assert one.low < one.value < one.high
    # Against refits one by one, with the same draws.
    rng, n = np.random.default_rng(0), gaps.size
    rates = []
    for drawn in rng.integers(0, n, (300, n)):
        again = fit(gaps[drawn], preferences[drawn], difficulties, "published", places=drawn)
        rates.append(again.estimate.value)
    assert (one.low, one.high) == pytest.approx(tuple(np.quantile(rates, [0.025, 0.975])), abs=1e-5)


@given(seed=SEEDS, way=WAYS)
@settings(deadline=None, max_examples=30)
def test_a_missing_verdict_is_left_out_of_n_but_its_prompt_stays(seed, way):
    gaps, preferences, difficulties = verdicts(seed)
    preferences[[4, 9]] = np.nan
    found = fit(gaps, preferences, difficulties, way, resamples=20)
    assert found.estimate.n == gaps.size - 2
    if way == "published":
        expected = expit(found.difficulty * difficulties.difficulty + found.own).mean()
        assert found.estimate.value == pytest.approx(expected)


def test_a_close_race_keeps_its_interval():
    rng = np.random.default_rng(0)
    found = length_controlled(rng.normal(100, 300, 400), np.round(rng.random(400))).estimate
    assert found.low < 0.5 < found.high
    assert 0.08 < found.high - found.low < 0.14  # 2 * 1.96 * sqrt(1/4/400) = 0.098, and what the gaps add


def test_too_little_and_too_uniform_data_give_no_interval():
    few = length_controlled(np.arange(9.0), np.full(9, 0.3))
    assert isnan(few.estimate.value)
    same = length_controlled(np.zeros(50), np.ones(50), way="held")
    assert same.estimate.value == pytest.approx(1, abs=1e-4)
    assert isnan(same.estimate.low)


def test_the_way_and_the_file_must_go_together():
    gaps, preferences, difficulties = verdicts(0)
    with pytest.raises(ValueError, match="published"):
        length_controlled(gaps, preferences, way="published")
    with pytest.raises(ValueError, match="published"):
        length_controlled(gaps, preferences, difficulties, way="held")


def test_a_row_of_a_prompt_without_a_difficulty_is_refused():
    gaps, preferences, difficulties = verdicts(0)
    places = np.arange(gaps.size)
    places[0] = difficulties.difficulty.size
    with pytest.raises(ValueError, match=f"difficulties of {difficulties.difficulty.size} prompts"):
        length_controlled(gaps, preferences, difficulties, places, way="published")
