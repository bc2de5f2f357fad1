"""How many prompts: the figures of arXiv 2411.00640, and a simulation that has the power that was promised."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from srlm.stats.power import prompts_needed, smallest_difference

amounts = st.floats(0.001, 1.0)


def test_the_examples_of_the_paper():
    # Section 5: omega^2 = 1/9 and answers without noise; then GPQA's 198 questions with sigma^2 = 1/6 a model.
    # The variance of the difference is omega^2 + sigma_a^2 / K_a + sigma_b^2 / K_b, with K answers averaged.
    assert prompts_needed(0.03, 1 / 9) == 969
    one = smallest_difference(198, 1 / 9 + 1 / 6 + 1 / 6)
    ten = smallest_difference(198, 1 / 9 + 1 / 60 + 1 / 60)
    # The paper's 13.2 % and 7.5 % are cut off, not rounded.
    assert (int(1000 * one), int(1000 * ten)) == (132, 75)


def test_the_promised_share_of_experiments_finds_the_difference():
    rng = np.random.default_rng(0)
    n = prompts_needed(0.1, 0.5**2, power=0.9)
    found = rng.normal(0.1, 0.5, (4_000, n))
    z = found.mean(axis=1) / (0.5 / np.sqrt(n))
    assert np.mean(np.abs(z) > norm.ppf(0.975)) == pytest.approx(0.9, abs=0.02)


@given(amounts, amounts, st.integers(1, 5_000))
def test_the_two_ask_the_same_question(difference, variance, prompts):
    needed = prompts_needed(difference, variance)
    assert smallest_difference(needed, variance) <= difference * (1 + 1e-9)
    if needed > 1:
        assert smallest_difference(needed - 1, variance) > difference * (1 - 1e-9)
    assert prompts_needed(smallest_difference(prompts, variance) * (1 + 1e-9), variance) <= prompts


@given(amounts, amounts)
def test_less_variance_never_needs_more_prompts(between, within):
    more = between + within
    assert prompts_needed(0.05, between) <= prompts_needed(0.05, more) <= prompts_needed(0.04, more)
    assert prompts_needed(-0.05, more) == prompts_needed(0.05, more)
    assert prompts_needed(0.05, more, power=0.9) >= prompts_needed(0.05, more, power=0.8)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: prompts_needed(0.0, 1.0),
        lambda: prompts_needed(0.1, -1.0),
        lambda: smallest_difference(0, 1.0),
        lambda: smallest_difference(10, 1.0, level=1.0),
        lambda: smallest_difference(10, 1.0, power=0.0),
    ],
)
def test_what_has_no_answer_is_refused(wrong):
    with pytest.raises(ValueError):
        wrong()
