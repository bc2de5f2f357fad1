"""What luck gets, against the metrics of the same draws one by one."""

from math import isnan
from statistics import mean

import numpy as np
import pytest

from srlm.stats.random_judge import random_judge
from srlm.stats.reward_model import Ranked, reward_model_metrics

GROUPS = [
    Ranked((0, 1, 2), (None, None, None), (100, 110, 300)),
    Ranked((0, 1, 1, 2), (0.0, 0.0, 0.0, 0.0), (50, 60, 50, 200)),
    Ranked((3, 3), (1.0, 2.0), (10, 10)),  # no order to be found
    Ranked((1, 0), (1.0, 2.0), (10, 400)),
]


def test_each_draw_has_the_metrics_of_a_judge_with_these_scores():
    draws = 25
    rng = np.random.default_rng(7)
    ordered = [group for group in GROUPS if len(set(group.ranks)) > 1]
    scores = [rng.random((draws, len(group.ranks))) for group in ordered]
    each = [
        reward_model_metrics(
            [Ranked(one.ranks, tuple(drawn[i]), one.lengths) for one, drawn in zip(ordered, scores, strict=True)],
            resamples=10,
        )
        for i in range(draws)
    ]
    found = random_judge(GROUPS, draws, seed=7)
    for name in ("pairwise_accuracy", "similar_length", "exact_match", "spearman", "kendall_tau_b"):
        values = [getattr(one, name).value for one in each]
        assert getattr(found, name).value == pytest.approx(mean(values)), name
        assert getattr(found, name).low == pytest.approx(np.quantile(values, 0.025)), name
        assert getattr(found, name).high == pytest.approx(np.quantile(values, 0.975)), name


def test_luck_is_a_coin_on_average_and_orders_three_answers_one_time_in_six():
    found = random_judge([GROUPS[0]] * 200, draws=500)
    assert found.pairwise_accuracy.value == pytest.approx(0.5, abs=0.01)
    assert found.exact_match.value == pytest.approx(1 / 6, abs=0.01)
    assert found.kendall_tau_b.value == pytest.approx(0, abs=0.01)
    assert (found.pairwise_accuracy.n, found.pairwise_accuracy.clusters) == (600, 200)


def test_without_an_order_there_is_nothing_to_be_lucky_about():
    found = random_judge([GROUPS[2]])
    assert isnan(found.pairwise_accuracy.value)
    assert isnan(found.similar_length.value)
