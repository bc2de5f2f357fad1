"""Implicit rewards and the filter of pairs by them, by hand."""

from srlm.types import Prompt
from trainer.preferences.implicit_reward import DISAGREED, filter_by_implicit_reward, implicit_rewards


def test_the_reference_is_the_model_before(session, candidates):
    prompts = [Prompt("p0", "Do.", "generated")]
    assert list(implicit_rewards(session, 2, prompts, candidates(4)).values()) == [4, 1, 1, 4]
    assert session.read == [("M3", "M2"), ("M3", "M1")]


def test_a_pair_is_kept_if_both_rewards_prefer_the_chosen_answer(pairs):
    three = pairs[:3]
    margins = (0.5, -0.25, 0.0)
    rewards = {one.rejected_id: 1.0 for one in three}
    rewards |= {one.chosen_id: 1 + margin for one, margin in zip(three, margins, strict=True)}
    kept, dropped = filter_by_implicit_reward(three, rewards)
    assert kept == [three[0]]
    assert [(one.id, one.reason) for one in dropped] == [(one.prompt_id, DISAGREED) for one in three[1:]]
    assert dropped[0].detail.startswith("-0.25 nats")
