"""Combinations: a weighted mean of values as they are, vetoes, and answers that a source has no value for."""

from math import isclose

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srlm.config.rewards import JUDGE_ALONE, RewardPart
from srlm.rewards.combine import combine, verdicts_by_part
from srlm.types import Reward, Scored, Verdict

FINITE = st.floats(-1e6, 1e6)
WEIGHT = st.floats(1e-3, 1e3)


def reward(value, answer="a"):
    return Reward(answer, value, None, int(value is not None), int(value is None), 0, (f"{answer}-v",))


def part(source, weight=None, veto=None):
    return RewardPart(source=source, weight=weight, veto_below=veto)


def combined(parts, *values):
    (found,) = combine(parts, [[reward(value)] for value in values])
    return found


def test_the_mean_is_weighted_and_of_values_as_they_are():
    found = combined([part("judge"), part("check.py:score", 2)], 3.0, 0.75)
    assert found.value == pytest.approx((3 + 2 * 0.75) / 3)
    assert (found.scored, found.unparsed, found.failed) == (2, 0, 0)


def test_a_source_that_only_vetoes_has_no_weight():
    parts = [part("judge"), part("safe.py:ok", veto=0.5)]
    assert combined(parts, 3.0, 0.0).value == 3.0
    assert combined(parts, 3.0, 0.0).vetoed_by == ("safe.py:ok",)
    assert combined(parts, 3.0, 0.5).vetoed_by == ()


def test_a_source_may_have_weight_and_veto():
    found = combined([part("judge", 1), part("check.py:score", 1, veto=0.0)], 4.0, -2.0)
    assert (found.value, found.vetoed_by) == (1.0, ("check.py:score",))


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_an_answer_without_a_value_of_one_source_has_no_reward(missing):
    values = [3.0, 0.5, 1.0]
    values[missing] = None
    found = combined([part("judge"), part("a.py:f", 2), part("b.py:g", veto=0.5)], *values)
    assert found.value is None
    assert (found.scored, found.unparsed) == (2, 1)
    assert found.vetoed_by == ()


def test_the_judge_alone_keeps_its_rewards():
    own = Reward("a", 2.5, 1.0, 2, 1, 0, ("a-v0", "a-v1", "a-v2"))
    assert combine(JUDGE_ALONE, [[own]]) == [own]


def test_verdicts_go_to_their_sources():
    parts = [part("check.py:score"), part("judge"), part("hf:o/rm")]
    given = [
        Verdict(f"v{number}", judge, "x", ("a",), Scored(1.0, ""))
        for number, judge in enumerate(["hf:o/rm", "M1", "check.py:score", "M1"])
    ]
    found = verdicts_by_part(parts, given)
    assert [[one.id for one in of] for of in found] == [["v2"], ["v1", "v3"], ["v0"]]


@given(st.lists(st.tuples(WEIGHT, FINITE), min_size=1, max_size=5))
def test_the_mean_lies_between_the_values(sources):
    parts = [part(f"f{number}.py:s", weight) for number, (weight, _) in enumerate(sources)]
    values = [value for _, value in sources]
    found = combined(parts, *values).value
    slack = 1e-9 * max(1.0, *map(abs, values))
    assert min(values) - slack <= found <= max(values) + slack


@given(st.lists(st.tuples(WEIGHT, FINITE), min_size=1, max_size=5), st.floats(0.1, 10))
def test_only_the_ratio_of_weights_counts(sources, factor):
    parts = [part(f"f{number}.py:s", weight) for number, (weight, _) in enumerate(sources)]
    scaled = [part(one.source, one.weight * factor) for one in parts]
    values = [value for _, value in sources]
    one, two = combined(parts, *values).value, combined(scaled, *values).value
    assert isclose(one, two, rel_tol=1e-9, abs_tol=1e-6)


@given(st.lists(FINITE, min_size=2, max_size=6), st.lists(FINITE, min_size=2, max_size=6), WEIGHT)
def test_answers_are_combined_one_by_one(first, second, weight):
    count = min(len(first), len(second))
    parts = [part("judge"), part("f.py:s", weight)]
    lists = [[reward(value, f"a{n}") for n, value in enumerate(of[:count])] for of in (first, second)]
    together = combine(parts, lists)
    assert [one.answer_id for one in together] == [f"a{n}" for n in range(count)]
    assert [one.value for one in together] == [
        combined(parts, *pair).value for pair in zip(first, second, strict=False)
    ]


def test_the_largest_numbers_do_not_overflow():
    assert combined([part("a.py:f", 3), part("b.py:g", 5)], 1.7e308, 1.7e308).value == pytest.approx(1.7e308)
