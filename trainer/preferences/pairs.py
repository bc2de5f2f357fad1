"""Best and worst candidate of each instruction become a preference pair (arXiv 2401.10020, section 2.2).

No pair comes from an instruction whose best and worst reward are equal, nor from one with fewer than two readable
rewards. The paper does not say which candidate to take when several share the best or the worst reward: here a seeded
draw among them, because any fixed rule (first, longest) would favour something.

Three switches of `PairsConfig` change the choice, each off by default. With S+ the best and S- the worst reward:

    length_rho      Meta-Rewarding (arXiv 2407.19594, its length control): the chosen one is the shortest with a reward
                    in [(1 - rho) S+ + rho S-, S+], the rejected one the longest in [S-, (1 - rho) S- + rho S+].
                    With rho 0 length decides among equal rewards alone. Lengths are in characters.
    rejected_from   Temporal Self-Rewarding (arXiv 2508.06026, its anchored rejection): where the worst answer of an
                    earlier model scores below the worst of M_t, it is the rejected one, and S- is its reward. That
                    paper's other half, chosen answers of a model trained ahead, is left out.
    min_gap         a pair whose two rewards differ by less is dropped.

A fourth, `agreement`, drops pairs that are chosen already, see `trainer/preferences/consistency.py`.
"""

import random
from collections.abc import Sequence
from typing import NamedTuple

from srlm.config.preferences import PairsConfig
from srlm.seeding import derive
from srlm.types import Answer, Dropped, PreferencePair, Prompt, Reward

ROUNDING = 1e-9
"""Means of three verdicts are no round numbers: a reward this near to a border stands on it."""

UNREAD = "fewer than two readable rewards"

AS_THE_PAPER = PairsConfig()


class Valued(NamedTuple):
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
    """Pair the best with the worst; the second list says which instructions gave no pair, and why.

    Args:
        prompts: the new instructions; each is in one of the two lists.
        answers: M_t's candidates.
        rewards: one for each of the answers and of the anchors.
        seed: of the draw among equals.
        config: the switches.
        anchors: answers of an earlier model, which can only be rejected.
    """
    values = {reward.answer_id: reward.value for reward in rewards}
    of_prompt, anchored = by_prompt(prompts, answers), by_prompt(prompts, anchors)
    pairs: list[PreferencePair] = []
    dropped: list[Dropped] = []
    for prompt in prompts:
        chance = random.Random(derive(seed, "pair", prompt.id))
        candidates = of_prompt[prompt.id]
        pair = _pair(prompt, valued(candidates, values), valued(anchored[prompt.id], values), config, chance)
        if isinstance(pair, PreferencePair):
            pairs.append(pair)
        else:
            reason, detail = pair
            dropped.append(Dropped(prompt.id, reason, detail or _counts(candidates, values)))
    return pairs, dropped


def _pair(
    prompt: Prompt,
    scored: Sequence[Valued],
    anchored: Sequence[Valued],
    config: PairsConfig,
    chance: random.Random,
) -> PreferencePair | tuple[str, str]:
    """The pair of one instruction, or the reason and the detail of there being none."""
    if not scored or len(scored) + len(anchored) < 2:
        return UNREAD, ""
    best, worst = max(one.value for one in scored), min(one.value for one in scored)
    low, pool = worst, scored
    if anchored and (lowest := min(one.value for one in anchored)) < worst:
        low, pool = lowest, anchored
    if best == low:
        return "all rewards are equal", f"{best:.2f} for {len(scored)} candidates"
    if config.length_rho is None:
        chosen = chance.choice([one for one in scored if one.value == best])
        rejected = chance.choice([one for one in pool if one.value == low])
    else:
        reach = (config.length_rho + ROUNDING) * (best - low)
        short = [one for one in scored if best - one.value <= reach]
        long = [one for one in pool if one.value - low <= reach]
        least, most = min(len(one.answer.text) for one in short), max(len(one.answer.text) for one in long)
        chosen = chance.choice([one for one in short if len(one.answer.text) == least])
        rejected = chance.choice([one for one in long if len(one.answer.text) == most])
    if chosen.answer.text == rejected.answer.text:
        return "best and worst are the same text", f"{chosen.value:.2f} and {rejected.value:.2f}"
    if chosen.value - rejected.value < config.min_gap - ROUNDING:
        return "the gap is too small", f"{chosen.value:.2f} and {rejected.value:.2f}"
    words = ("best", "worst") if config.length_rho is None else ("shortest of the best", "longest of the worst")
    origin = "" if pool is scored else f", by {rejected.answer.model}"
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
            f"of {len(scored) + len(anchored)} scored candidates"
        ),
    )


def by_prompt(prompts: Sequence[Prompt], answers: Sequence[Answer]) -> dict[str, list[Answer]]:
    """The answers to each instruction, by its id; none, where none came."""
    found: dict[str, list[Answer]] = {prompt.id: [] for prompt in prompts}
    for answer in answers:
        found[answer.prompt_id].append(answer)
    return found


def valued(answers: Sequence[Answer], values: dict[str, float | None]) -> list[Valued]:
    """The answers that have a reward, each with it."""
    return [Valued(value, answer) for answer in answers if (value := values[answer.id]) is not None]


def _counts(answers: Sequence[Answer], values: dict[str, float | None]) -> str:
    return f"{len(valued(answers, values))} of {len(answers)}"
