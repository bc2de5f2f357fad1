"""Vetoed answers: rejected, never chosen, and never learned from as positives."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srlm.config.preferences import PairsConfig
from srlm.types import Answer, PreferencePair, Prompt, Reward
from trainer.preferences.best_of_n import choose_positives
from trainer.preferences.pairs import ALL_VETOED, choose_pairs

PROMPT = Prompt("p0", "Do it.", "generated")


def case(rewards, vetoed=()):
    """Answers with these rewards; those at the places `vetoed` have a veto. Their lengths grow."""
    answers = [Answer(f"p0-c{n}", "p0", "M1", "x" * (n + 1), "stop", n) for n in range(len(rewards))]
    found = [
        Reward(f"p0-c{n}", value, None, 1, 0, 0, (), ("safe.py:ok",) if n in vetoed else ())
        for n, value in enumerate(rewards)
    ]
    return answers, found


def pair(rewards, vetoed=(), **settings):
    answers, found = case(rewards, vetoed)
    pairs, dropped = choose_pairs([PROMPT], answers, found, 0, PairsConfig(**settings))
    return (pairs or dropped)[0]


def test_the_vetoed_answer_is_rejected_even_if_it_has_the_best_reward():
    found = pair([2.0, 1.0, 9.0], vetoed={2})
    assert (found.chosen_id, found.rejected_id) == ("p0-c0", "p0-c2")
    assert found.reason == "best 2.00 against vetoed 9.00 of 3 scored candidates"


def test_of_several_vetoed_answers_the_worst_is_rejected():
    assert pair([2.0, 1.0, 9.0, 5.0], vetoed={2, 3}).rejected_id == "p0-c3"


def test_an_equal_reward_and_the_minimum_gap_do_not_save_a_vetoed_answer():
    found = pair([2.0, 2.0], vetoed={1}, min_gap=3)
    assert (found.chosen_id, found.rejected_id) == ("p0-c0", "p0-c1")


@pytest.mark.parametrize("rho", [0, 0.4])
def test_length_control_chooses_among_the_others(rho):
    found = pair([2.0, 2.0, 9.0], vetoed={2}, length_rho=rho)
    assert (found.chosen_id, found.rejected_id) == ("p0-c0", "p0-c2")


def test_a_prompt_of_which_every_answer_is_vetoed_gives_no_pair():
    assert (pair([2.0, 1.0], vetoed={0, 1}).reason, pair([2.0], vetoed={0}).reason) == (ALL_VETOED, ALL_VETOED)


def test_a_vetoed_answer_without_a_reward_is_in_no_pair():
    assert pair([2.0, 1.0, None], vetoed={2}).rejected_id == "p0-c1"


def test_a_vetoed_answer_is_no_positive():
    answers, found = case([5.0, 5.0], vetoed={0})
    positives, _ = choose_positives([PROMPT], answers, found, 5.0)
    assert [one.id for one in positives] == ["p0-c1"]


@given(
    st.lists(st.tuples(st.none() | st.floats(-5, 5), st.booleans()), max_size=6),
    st.none() | st.sampled_from([0.0, 0.2, 0.49]),
)
def test_a_vetoed_answer_is_never_chosen_and_rejected_where_it_can_be(answers, rho):
    vetoed = {n for n, (_, banned) in enumerate(answers) if banned}
    given_answers, found = case([value for value, _ in answers], vetoed)
    pairs, dropped = choose_pairs([PROMPT], given_answers, found, 0, PairsConfig(length_rho=rho))
    assert len(pairs) + len(dropped) == 1
    banned = {f"p0-c{n}" for n in vetoed if answers[n][0] is not None}
    for one in pairs:
        assert isinstance(one, PreferencePair)
        assert int(one.chosen_id[-1]) not in vetoed
        assert (one.rejected_id in banned) == bool(banned)
        allowed = [value for value, no in answers if value is not None and not no]
        assert one.chosen_reward == max(allowed) or rho
