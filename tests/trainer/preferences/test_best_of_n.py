"""Best answers as examples: their selection, the reasons of prompts without one, and the weight."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srlm.types import Answer, Prompt, Reward, SFTExample
from trainer.preferences.best_of_n import choose_positives, repeat_by_weight


def case(name, *answers):
    """A prompt with answers of given reward and text."""
    written = [Answer(f"{name}-c{i}", name, "M1", text, "stop", i) for i, (_, text) in enumerate(answers)]
    rewards = [
        Reward(answer.id, value, None, int(value is not None), int(value is None), 0)
        for answer, (value, _) in zip(written, answers, strict=True)
    ]
    return Prompt(name, f"Do {name}.", "generated"), written, rewards


def chosen(*cases, least=5.0):
    return choose_positives(
        [one[0] for one in cases],
        [answer for one in cases for answer in one[1]],
        [reward for one in cases for reward in one[2]],
        least,
    )


def test_every_answer_with_the_highest_reward_is_an_example():
    positives, dropped = chosen(case("p0", (5.0, "a"), (14 / 3, "b"), (5.0, "c"), (None, "d")))
    assert positives == [
        SFTExample("p0-c0", "positive", "Do p0.", "a"),
        SFTExample("p0-c2", "positive", "Do p0.", "c"),
    ]
    assert dropped == []


def test_a_reward_equal_to_a_lower_threshold_is_enough():
    positives, _ = chosen(case("p0", (3.3333333333, "a"), (13 / 3, "b"), (10 / 3, "c")), least=10 / 3)
    assert [one.completion for one in positives] == ["a", "b", "c"]


def test_equal_answers_to_one_prompt_are_one_example():
    positives, _ = chosen(case("p0", (4.0, "a"), (5.0, "a"), (5.0, "a")), case("p1", (5.0, "a")))
    assert [one.id for one in positives] == ["p0-c1", "p1-c0"]


def test_a_prompt_without_one_has_a_reason():
    positives, dropped = chosen(case("p0", (4.0, "a"), (2.0, "b")), case("p1", (None, "a"), (None, "b")), case("p2"))
    assert positives == []
    assert [(one.id, one.reason, one.detail) for one in dropped] == [
        ("p0", "no reward of 5", "the best is 4.00"),
        ("p1", "no readable reward", "0 of 2"),
        ("p2", "no readable reward", "0 of 0"),
    ]


@pytest.mark.parametrize(("weight", "counts"), [(1, [1] * 10), (2, [2] * 10), (0.3, [0] * 7 + [1] * 3)])
def test_the_weight_is_the_number_of_repetitions(weight, counts):
    examples = [SFTExample(f"e{n}", "positive", "x", str(n)) for n in range(10)]
    found = Counter(one.id for one in repeat_by_weight(examples, weight, 0))
    assert sorted(found[one.id] for one in examples) == counts


@given(st.integers(1, 30), st.floats(0.01, 4), st.integers(0, 5))
def test_repetitions_differ_by_at_most_one_and_the_draw_is_seeded(count, weight, seed):
    examples = [SFTExample(f"e{n}", "positive", "x", str(n)) for n in range(count)]
    found = repeat_by_weight(examples, weight, seed)
    often = Counter(one.id for one in found)
    assert len(found) == max(1, round(weight * count))
    assert max(often.values()) - min(often[one.id] for one in examples) <= 1
    assert found == repeat_by_weight(examples, weight, seed)
