"""Judges that read nothing: what they get on ranked answers, by hand."""

import pytest

from evals.suites.reward_model.baselines import NAMES, heuristic_judge
from srlm.stats.reward_model import Ranked

GROUPS = [
    Ranked((0, 1, 2), (None, None, None), (30, 20, 20)),
    Ranked((1, 0), (5.0, 1.0), (100, 90)),
]


@pytest.mark.parametrize(
    ("name", "pairs", "similar", "matches"),
    [
        # Of the four pairs one has equal lengths, which is half right for both; that pair and the last are similar.
        ("longer wins", 2.5 / 4, 0.5 / 2, 0),
        ("shorter wins", 1.5 / 4, 1.5 / 2, 0.5),
        ("first in the file wins", 3 / 4, 1 / 2, 0.5),
    ],
)
def test_scores_are_of_the_length_or_of_the_place_and_not_of_any_judge(name, pairs, similar, matches):
    found = heuristic_judge(name, GROUPS)
    assert (found.pairwise_accuracy.value, found.pairwise_accuracy.n) == (pairs, 4)
    assert (found.similar_length.value, found.similar_length.n) == (similar, 2)
    assert found.exact_match.value == matches


def test_random_is_near_a_half_and_says_how_near():
    found = heuristic_judge("random", GROUPS)
    assert found.pairwise_accuracy.value == pytest.approx(0.5, abs=0.05)
    assert (found.pairwise_accuracy.low, found.pairwise_accuracy.high) == (0, 1)
    assert found.exact_match.value == pytest.approx((1 / 6 + 1 / 2) / 2, abs=0.05)
    assert "random" in NAMES
