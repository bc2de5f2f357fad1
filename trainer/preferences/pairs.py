"""Preference pairs: the best and the worst candidate of each prompt (arXiv 2401.10020, section 2.2).

A prompt gives no pair if its best and worst reward are equal, or if fewer than two answers have a reward. The paper
does not say which candidate to take if several share the best or the worst reward. Here a seeded random draw decides,
because any fixed rule (first, longest) would introduce a bias.

Three switches of `PairsConfig` change the choice, each off by default. With S+ the best and S- the worst reward:

    length_rho      Meta-Rewarding (arXiv 2407.19594, its length control): the chosen answer is the shortest with a
                    reward in [(1 - rho) S+ + rho S-, S+], the rejected one the longest in [S-, (1 - rho) S- + rho S+].
                    With rho 0 length decides only among equal rewards. Lengths are in characters.
    rejected_from   Temporal Self-Rewarding (arXiv 2508.06026, its anchored rejection): if the worst answer of an
                    earlier model scores below the worst of M_t, it is the rejected one, and S- is its reward. The
                    paper's other half, chosen answers of a model trained ahead, is left out.
    min_gap         a pair whose rewards differ by less is dropped.

A vetoed answer (`srlm.rewards.combine`) is never chosen. If a prompt has any, one of them is the rejected answer: that
with the lowest reward, whatever the rewards of the others are, and `min_gap` does not apply.

A fourth switch, `agreement`, drops pairs after this choice, see `trainer/preferences/implicit_reward.py`.
"""

import random
from collections.abc import Sequence
from typing import NamedTuple

from srlm.config.preferences import PairsConfig
from srlm.seeding import derive_seed
from srlm.types import Answer, Dropped, PreferencePair, Prompt, Reward

ROUNDING = 1e-9
"""Tolerance of comparisons between rewards, which are means of several verdicts."""

TOO_FEW_REWARDS = "fewer than two readable rewards"
ALL_VETOED = "every answer is vetoed"

AS_THE_PAPER = PairsConfig()


class RewardedAnswer(NamedTuple):
    """An answer with its reward."""

    value: float
    answer: Answer


def choose_pairs(
    prompts: Sequence[Prompt],
    answers: Sequence[Answer],
    rewards: Sequence[Reward],
    seed: int,
    config: PairsConfig = AS_THE_PAPER,
    anchors: Sequence[Answer] = (),
) -> tuple[list[PreferencePair], list[Dropped]]:
    """Pair the best with the worst answer of each prompt.

    Args:
        prompts: the new prompts.
        answers: M_t's candidates.
        rewards: one for each of the answers and of the anchors.
        seed: seed of the draw among equal rewards.
        config: the switches.
        anchors: answers of an earlier model, which can only be rejected.

    Returns:
        The pairs, and the prompts without one with their reasons. Each prompt is in one of the two lists.
    """
    values = {reward.answer_id: reward.value for reward in rewards}
    vetoed = vetoed_answers(rewards)
    of_prompt, anchored = group_by_prompt(prompts, answers), group_by_prompt(prompts, anchors)
    pairs: list[PreferencePair] = []
    dropped: list[Dropped] = []
    for prompt in prompts:
        chance = random.Random(derive_seed(seed, "pair", prompt.id))
        candidates = of_prompt[prompt.id]
        scored, low = with_rewards(candidates, values), with_rewards(anchored[prompt.id], values)
        allowed = [one for one in scored if one.answer.id not in vetoed]
        banned = [one for one in scored if one.answer.id in vetoed]
        pair = _pair(prompt, allowed, low, banned, config, chance)
        if isinstance(pair, PreferencePair):
            pairs.append(pair)
        else:
            reason, detail = pair
            dropped.append(Dropped(prompt.id, reason, detail or _reward_count(candidates, values)))
    return pairs, dropped


def _pair(
    prompt: Prompt,
    scored: Sequence[RewardedAnswer],
    anchored: Sequence[RewardedAnswer],
    vetoed: Sequence[RewardedAnswer],
    config: PairsConfig,
    chance: random.Random,
) -> PreferencePair | tuple[str, str]:
    """Return the pair of one prompt, or the reason and the detail for which there is none."""
    every = len(scored) + len(anchored) + len(vetoed)
    if vetoed and not scored:
        return ALL_VETOED, f"{len(vetoed)} candidates"
    if not scored or every < 2:
        return TOO_FEW_REWARDS, ""
    best, worst = max(one.value for one in scored), min(one.value for one in scored)
    low, pool = worst, scored
    if anchored and (lowest := min(one.value for one in anchored)) < worst:
        low, pool = lowest, anchored
    if vetoed:
        low, pool = min(one.value for one in vetoed), vetoed
    elif best == low:
        return "all rewards are equal", f"{best:.2f} for {len(scored)} candidates"
    chosen, rejected = _draw(scored, best, pool, low, config.length_rho, chance)
    if chosen.answer.text == rejected.answer.text:
        return "best and worst are the same text", f"{chosen.value:.2f} and {rejected.value:.2f}"
    if not vetoed and chosen.value - rejected.value < config.min_gap - ROUNDING:
        return "the gap is too small", f"{chosen.value:.2f} and {rejected.value:.2f}"
    words = ("best", "worst") if config.length_rho is None else ("shortest of the best", "longest of the worst")
    origin = f", by {rejected.answer.model}" if pool is anchored else ""
    if vetoed:
        words = (words[0], "vetoed")
    return PreferencePair(
        id=f"{prompt.id}-pair",
        prompt_id=prompt.id,
        prompt=prompt.instruction,
        chosen_id=chosen.answer.id,
        chosen=chosen.answer.text,
        chosen_reward=chosen.value,
        rejected_id=rejected.answer.id,
        rejected=rejected.answer.text,
        rejected_reward=rejected.value,
        reason=(
            f"{words[0]} {chosen.value:.2f} against {words[1]} {rejected.value:.2f}{origin} "
            f"of {every} scored candidates"
        ),
        context=prompt.context,
    )


def _draw(
    scored: Sequence[RewardedAnswer],
    best: float,
    pool: Sequence[RewardedAnswer],
    low: float,
    length_rho: float | None,
    chance: random.Random,
) -> tuple[RewardedAnswer, RewardedAnswer]:
    """Draw the chosen answer among the best of `scored` and the rejected one among the worst of `pool`."""
    if length_rho is None:
        chosen = chance.choice([one for one in scored if one.value == best])
        rejected = chance.choice([one for one in pool if one.value == low])
        return chosen, rejected
    reach = (length_rho + ROUNDING) * max(0.0, best - low)  # a vetoed answer may have the higher reward
    short = [one for one in scored if best - one.value <= reach]
    long = [one for one in pool if one.value - low <= reach]
    least, most = min(len(one.answer.text) for one in short), max(len(one.answer.text) for one in long)
    chosen = chance.choice([one for one in short if len(one.answer.text) == least])
    rejected = chance.choice([one for one in long if len(one.answer.text) == most])
    return chosen, rejected


def group_by_prompt(prompts: Sequence[Prompt], answers: Sequence[Answer]) -> dict[str, list[Answer]]:
    """Group answers by prompt id, with an empty list for a prompt without answers."""
    found: dict[str, list[Answer]] = {prompt.id: [] for prompt in prompts}
    for answer in answers:
        found[answer.prompt_id].append(answer)
    return found


def vetoed_answers(rewards: Sequence[Reward]) -> frozenset[str]:
    """Return the ids of the answers that a source of the reward vetoes."""
    return frozenset(reward.answer_id for reward in rewards if reward.vetoed_by)


def with_rewards(answers: Sequence[Answer], values: dict[str, float | None]) -> list[RewardedAnswer]:
    """Return the answers that have a reward, each with it."""
    return [RewardedAnswer(value, answer) for answer in answers if (value := values[answer.id]) is not None]


def _reward_count(answers: Sequence[Answer], values: dict[str, float | None]) -> str:
    return f"{len(with_rewards(answers, values))} of {len(answers)}"
