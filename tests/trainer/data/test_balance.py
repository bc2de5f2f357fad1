"""Balanced subsets of examples: no score dominates."""

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srlm.types import SFTExample
from trainer.data.balance import balanced_subset, cap_majority_score


def examples(*scores):
    return [SFTExample(f"e{i}", "EFT", "p", "c", score) for i, score in enumerate(scores)]


def counts(found):
    return Counter(one.score for one in found)


def test_the_most_common_score_is_capped_at_the_second():
    given_examples = examples(*[4] * 10, *[2] * 3, *[1] * 2)
    found = cap_majority_score(given_examples, seed=0)
    assert counts(found) == {4: 3, 2: 3, 1: 2}
    assert found == sorted(found, key=given_examples.index)
    assert found == cap_majority_score(given_examples, seed=0)
    assert {tuple(one.id for one in cap_majority_score(given_examples, seed)) for seed in range(5)} != {
        tuple(one.id for one in found)
    }


@pytest.mark.parametrize("scores", [(), (4, 4, 4), (4, 4, 2, 2), (5, 4, 3)])
def test_no_majority_score(scores):
    assert cap_majority_score(examples(*scores), seed=0) == examples(*scores)


@settings(deadline=None)
@given(st.lists(st.integers(0, 5), max_size=40), st.integers(1, 20), st.integers(0, 3))
def test_a_subset_is_as_even_as_possible(scores, limit, seed):
    given_examples = examples(*scores)
    found = balanced_subset(given_examples, limit, seed)
    assert len(found) == min(limit, len(scores))
    assert len({one.id for one in found}) == len(found)
    assert {one.id for one in found} <= {one.id for one in given_examples}
    assert found == balanced_subset(given_examples, limit, seed)
    all_of, taken = counts(given_examples), counts(found)
    for score, own in all_of.items():
        # A score with examples left over is never two behind another.
        if taken[score] < own:
            assert max(taken.values()) - taken[score] <= 1


def test_without_a_limit_all_are_kept():
    assert balanced_subset(examples(1, 2), None, 0) == examples(1, 2)
    assert balanced_subset(examples(1, 2), 2, 0) == examples(1, 2)


def test_a_larger_limit_contains_a_smaller_one():
    given_examples = examples(*[5] * 9, *[3] * 4, 1)
    ids = [{one.id for one in balanced_subset(given_examples, limit, 1)} for limit in range(1, 14)]
    assert all(small < large for small, large in pairwise(ids))
