"""Best against worst: what becomes a pair, what is dropped and why, and that chance is seeded."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srlm.types import Answer, Prompt, Reward
from trainer.pairs import choose_pairs

values = st.lists(st.none() | st.sampled_from([0.0, 1.0, 2.5, 10 / 3, 5.0]), max_size=5)


def case(*rewards, name="p0", texts=None):
    prompt = Prompt(name, f"Do {name}.", "generated")
    answers = [
        Answer(f"{name}-c{i}", name, "M1", texts[i] if texts else f"{name} answer {i}", "stop", i)
        for i in range(len(rewards))
    ]
    found = [
        Reward(answer.id, value, None if value is None else 0.0, int(value is not None), int(value is None), 0)
        for answer, value in zip(answers, rewards, strict=True)
    ]
    return prompt, answers, found


def chosen(*cases, seed=0):
    return choose_pairs(
        [one[0] for one in cases],
        [answer for one in cases for answer in one[1]],
        [reward for one in cases for reward in one[2]],
        seed,
    )


def test_the_best_and_the_worst_make_a_pair():
    (pair,), dropped = chosen(case(2.0, 4.5, 1.0, 3.0))
    assert dropped == []
    assert (pair.chosen_id, pair.chosen, pair.chosen_reward) == ("p0-c1", "p0 answer 1", 4.5)
    assert (pair.rejected_id, pair.rejected, pair.rejected_reward) == ("p0-c2", "p0 answer 2", 1.0)
    assert (pair.id, pair.prompt_id, pair.prompt) == ("p0-pair", "p0", "Do p0.")
    assert pair.reason == "best 4.50 against worst 1.00 of 4 scored candidates"


def test_ties_are_dropped():
    pairs, (dropped,) = chosen(case(3.0, 3.0, 3.0))
    assert pairs == []
    assert (dropped.id, dropped.reason) == ("p0", "all rewards are equal")
    assert "3.00 for 3" in dropped.detail


@pytest.mark.parametrize("rewards", [(None, None), (None, 5.0, None), (5.0,), ()])
def test_fewer_than_two_read_rewards_are_dropped(rewards):
    pairs, (dropped,) = chosen(case(*rewards))
    assert pairs == []
    assert dropped.reason == "fewer than two readable rewards"
    assert dropped.detail == f"{sum(one is not None for one in rewards)} of {len(rewards)}"


def test_an_unread_answer_is_neither_the_best_nor_the_worst():
    (pair,), _ = chosen(case(None, 2.0, 1.0, None))
    assert (pair.chosen_id, pair.rejected_id) == ("p0-c1", "p0-c2")
    assert pair.reason.endswith("of 2 scored candidates")


def test_a_reward_of_zero_is_a_reward():
    (pair,), _ = chosen(case(0.0, 1.0))
    assert (pair.rejected_id, pair.rejected_reward) == ("p0-c0", 0.0)


def test_one_text_against_itself_is_dropped():
    pairs, (dropped,) = chosen(case(1.0, 2.0, texts=["same", "same"]))
    assert pairs == []
    assert dropped.reason == "best and worst are the same text"


def test_shared_places_are_drawn_fairly_and_by_the_seed():
    drawn = [chosen(case(5.0, 5.0, 1.0, 1.0), seed=seed)[0][0] for seed in range(200)]
    ids = {(one.chosen_id, one.rejected_id) for one in drawn}
    assert ids == {(f"p0-c{c}", f"p0-c{r}") for c in (0, 1) for r in (2, 3)}
    assert 60 < sum(one.chosen_id == "p0-c0" for one in drawn) < 140


def test_a_draw_does_not_depend_on_the_other_instructions():
    cases = [case(5.0, 5.0, 1.0, 1.0, name=f"p{i}") for i in range(10)]
    together, _ = chosen(*cases, seed=3)
    assert together == [chosen(one, seed=3)[0][0] for one in cases]
    assert together == chosen(*cases, seed=3)[0]
    assert len({(one.chosen_id[-1], one.rejected_id[-1]) for one in together}) > 1


@settings(deadline=None)
@given(st.lists(values, max_size=6), st.integers(0, 5))
def test_every_instruction_is_a_pair_or_dropped_and_a_pair_has_a_gap(rewards, seed):
    cases = [case(*one, name=f"p{i}") for i, one in enumerate(rewards)]
    pairs, dropped = chosen(*cases, seed=seed)
    assert sorted([one.prompt_id for one in pairs] + [one.id for one in dropped]) == sorted(one[0].id for one in cases)
    given_values = {reward.answer_id: reward.value for one in cases for reward in one[2]}
    for pair in pairs:
        own = [
            value for name, value in given_values.items() if name.startswith(f"{pair.prompt_id}-") and value is not None
        ]
        assert given_values[pair.chosen_id] == pair.chosen_reward == max(own)
        assert given_values[pair.rejected_id] == pair.rejected_reward == min(own)
        assert pair.chosen_reward > pair.rejected_reward
        assert pair.chosen != pair.rejected
