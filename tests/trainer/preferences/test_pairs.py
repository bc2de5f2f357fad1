"""Preference pairs: best against worst, the reasons to drop a prompt, and the seeded draw."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srlm.config.preferences import PairsConfig
from srlm.types import Answer, Prompt, Reward
from trainer.preferences.pairs import choose_pairs

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
def test_fewer_than_two_rewards_are_dropped(rewards):
    pairs, (dropped,) = chosen(case(*rewards))
    assert pairs == []
    assert dropped.reason == "fewer than two readable rewards"
    assert dropped.detail == f"{sum(one is not None for one in rewards)} of {len(rewards)}"


def test_an_answer_without_a_reward_is_in_no_pair():
    (pair,), _ = chosen(case(None, 2.0, 1.0, None))
    assert (pair.chosen_id, pair.rejected_id) == ("p0-c1", "p0-c2")
    assert pair.reason.endswith("of 2 scored candidates")


def test_a_reward_of_zero_is_a_reward():
    (pair,), _ = chosen(case(0.0, 1.0))
    assert (pair.rejected_id, pair.rejected_reward) == ("p0-c0", 0.0)


def test_a_pair_of_equal_texts_is_dropped():
    pairs, (dropped,) = chosen(case(1.0, 2.0, texts=["same", "same"]))
    assert pairs == []
    assert dropped.reason == "best and worst are the same text"


def test_ties_are_drawn_uniformly_and_by_the_seed():
    drawn = [chosen(case(5.0, 5.0, 1.0, 1.0), seed=seed)[0][0] for seed in range(200)]
    ids = {(one.chosen_id, one.rejected_id) for one in drawn}
    assert ids == {(f"p0-c{c}", f"p0-c{r}") for c in (0, 1) for r in (2, 3)}
    assert 60 < sum(one.chosen_id == "p0-c0" for one in drawn) < 140


def test_a_draw_does_not_depend_on_the_other_prompts():
    cases = [case(5.0, 5.0, 1.0, 1.0, name=f"p{i}") for i in range(10)]
    together, _ = chosen(*cases, seed=3)
    assert together == [chosen(one, seed=3)[0][0] for one in cases]
    assert together == chosen(*cases, seed=3)[0]
    assert len({(one.chosen_id[-1], one.rejected_id[-1]) for one in together}) > 1


@settings(deadline=None)
@given(st.lists(values, max_size=6), st.integers(0, 5))
def test_every_prompt_gives_a_pair_or_is_dropped_and_a_pair_has_a_gap(rewards, seed):
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


# --- the switches -----------------------------------------------------------------------------------------------------


def anchored(*rewards, name="p0", texts=None):
    """Return answers of an earlier model with their rewards."""
    answers = [
        Answer(f"{name}-a{i}", name, "M0", texts[i] if texts else f"{name} anchor {i}", "stop", i)
        for i in range(len(rewards))
    ]
    found = [
        Reward(answer.id, value, None if value is None else 0.0, int(value is not None), int(value is None), 0)
        for answer, value in zip(answers, rewards, strict=True)
    ]
    return answers, found


def switched(one, anchors=((), ()), seed=0, **switches):
    prompt, answers, rewards = one
    return choose_pairs(
        [prompt], answers, [*rewards, *anchors[1]], seed, PairsConfig.model_validate(switches), anchors[0]
    )


@pytest.mark.parametrize(("min_gap", "kept"), [(0, True), (1.5, True), (5 / 3, True), (1.7, False), (5, False)])
def test_a_pair_with_too_small_a_gap_is_dropped(min_gap, kept):
    pairs, dropped = switched(case(10 / 3, 5.0, 4.0), min_gap=min_gap)
    assert (len(pairs), len(dropped)) == (kept, not kept)
    if dropped:
        assert (dropped[0].reason, dropped[0].detail) == ("the gap is too small", "5.00 and 3.33")


# Rewards 5, 4.2, 4, 2, 1.6, 1, with a range of 4; texts of 60, 50, 10, 70, 80 and 20 characters.
@pytest.mark.parametrize(
    ("rho", "chosen_index", "rejected_index"),
    [
        (None, 0, 5),
        (0, 0, 5),
        (0.15, 0, 4),  # from 4.4 up: the best alone; up to 1.6: the two worst, of which the longer
        (0.2, 1, 4),  # from 4.2 up: the two best, of which the shorter
        (0.25, 2, 4),  # from 4 up: the three best; up to 2: the three worst
        (0.4, 2, 4),
    ],
)
def test_the_length_rule_by_hand(rho, chosen_index, rejected_index):
    texts = [letter * length for letter, length in zip("abcdef", (60, 50, 10, 70, 80, 20), strict=True)]
    one = case(5.0, 4.2, 4.0, 2.0, 1.6, 1.0, texts=texts)
    (pair,), _ = switched(one, length_rho=rho)
    assert (pair.chosen_id, pair.rejected_id) == (f"p0-c{chosen_index}", f"p0-c{rejected_index}")
    rewards = [reward.value for reward in one[2]]
    assert (pair.chosen_reward, pair.rejected_reward) == (rewards[chosen_index], rewards[rejected_index])


def test_with_rho_0_length_decides_only_among_equal_rewards():
    texts = ["a" * 30, "b" * 10, "c" * 5, "d" * 20, "e" * 40]
    for seed in range(10):
        (pair,), _ = switched(case(5.0, 5.0, 3.0, 1.0, 1.0, texts=texts), seed=seed, length_rho=0)
        assert (pair.chosen_id, pair.rejected_id) == ("p0-c1", "p0-c4")


def test_the_worst_answer_of_an_earlier_model_is_rejected_if_it_is_worse():
    (pair,), _ = switched(case(4.0, 3.0, 2.0), anchored(2.5, 1.0, 5.0), rejected_from="base")
    assert (pair.chosen_id, pair.rejected_id, pair.rejected, pair.rejected_reward) == (
        "p0-c0",
        "p0-a1",
        "p0 anchor 1",
        1.0,
    )
    assert pair.reason == "best 4.00 against worst 1.00, by M0 of 6 scored candidates"


@pytest.mark.parametrize("anchors", [(2.0, 3.0), (None,), ()])
def test_an_earlier_model_that_is_no_worse_has_no_effect(anchors):
    (pair,), _ = switched(case(4.0, 2.0), anchored(*anchors), rejected_from="base")
    assert (pair.chosen_id, pair.rejected_id) == ("p0-c0", "p0-c1")


def test_an_answer_of_an_earlier_model_is_never_chosen():
    (pair,), _ = switched(case(2.0, 1.0), anchored(5.0, 0.0), rejected_from="base")
    assert (pair.chosen_id, pair.rejected_id) == ("p0-c0", "p0-a1")
    _, (dropped,) = switched(case(None, None), anchored(5.0, 0.0), rejected_from="base")
    assert (dropped.reason, dropped.detail) == ("fewer than two readable rewards", "0 of 2")


def test_equal_rewards_give_a_pair_with_a_worse_anchor():
    assert switched(case(3.0, 3.0))[0] == []
    (pair,), _ = switched(case(3.0, 3.0), anchored(1.0), rejected_from="base")
    assert (pair.chosen_reward, pair.rejected_reward) == (3.0, 1.0)


def test_the_length_rule_among_anchors():
    # The range is 4: down from 5 to 4, up from 1 to 2.
    anchors = anchored(1.0, 2.0, 2.1, texts=["x", "x" * 9, "x" * 99])
    (pair,), _ = switched(case(5.0, 4.0, texts=["y" * 9, "y"]), anchors, rejected_from="base", length_rho=0.25)
    assert (pair.chosen_id, pair.rejected_id) == ("p0-c1", "p0-a1")


@settings(deadline=None)
@given(
    values,
    st.lists(st.none() | st.floats(0, 5), max_size=4),
    st.lists(st.integers(0, 30), min_size=9, max_size=9),
    st.none() | st.floats(0, 0.49),
    st.floats(0, 5),
    st.integers(0, 3),
)
def test_with_any_switches_the_chosen_answer_has_the_higher_reward(own, earlier, lengths, rho, min_gap, seed):
    one = case(*own, texts=[f"c{i}{'x' * lengths[i]}" for i in range(len(own))])
    anchors = anchored(*earlier, texts=[f"a{i}{'x' * lengths[5 + i]}" for i in range(len(earlier))])
    pairs, dropped = switched(one, anchors, seed=seed, length_rho=rho, min_gap=min_gap, rejected_from="base")
    assert len(pairs) + len(dropped) == 1
    for pair in pairs:
        assert pair.chosen_reward > pair.rejected_reward
        assert pair.chosen_reward - pair.rejected_reward >= min_gap - 1e-8
        assert pair.chosen_id.startswith("p0-c")
    strict, _ = switched(one, seed=seed)
    loose, _ = switched(one, seed=seed, min_gap=0, rejected_from="current")
    assert strict == loose == chosen(one, seed=seed)[0]
