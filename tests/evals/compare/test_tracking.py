"""What is told of a model: every figure that `srlm compare` has of it, by suite, opponent and key."""

from math import nan

import pytest

from evals.compare.tracking import iteration, tracked_values
from srlm.model_card import Evaluation, Measured
from srlm.stats.intervals import Estimate


def measured(key, value, low=nan, high=nan):
    return Measured(key, key, key, Estimate(value, low, high, 4, 4), "shown")


def test_a_figure_has_its_interval_and_nothing_undefined_is_logged():
    evaluations = [
        Evaluation("alpaca", (measured("win_rate", 0.5, 0.25, 0.75), measured("length", nan)), ()),
        Evaluation("head-to-head", (measured("head_to_head", 0.75),), (), against="M1"),
    ]
    assert tracked_values(evaluations) == {
        "alpaca/win_rate": 0.5,
        "alpaca/win_rate/low": 0.25,
        "alpaca/win_rate/high": 0.75,
        "head-to-head/M1/head_to_head": 0.75,
    }


@pytest.mark.parametrize(("model", "step"), [("M0", 0), ("M12", 12), ("SFT", 0), ("M2(levels, expected)", 0), ("M", 0)])
def test_only_models_of_the_loop_have_a_step_of_their_own(model, step):
    assert iteration(model) == step
