"""Rewards of several sources together: a weighted mean, and vetoes.

    reward = sum of weight * value / sum of weights        over the sources with a weight

Values are used as they are: no source is standardised, because a mean over the answers of an iteration would make an
answer's reward depend on the others. A weight is therefore per unit of its source: next to a judge of 0 to 5, a program
of 0 to 1 with weight 5 counts as much as the judge with weight 1. The judge's value is the mean of its verdicts.

An answer that a source with `veto_below` values lower is vetoed. It keeps its reward, and is never chosen: it is the
rejected answer of its prompt, or no part of a pair. If any source, also one that only vetoes, has no value for an
answer, the answer has no reward. Neither the others' values nor a default stands in for it.

A measurement orders answers as a training does (`values_for_order`): any answer that is not vetoed before any that is.
"""

from collections.abc import Sequence
from math import inf, nextafter

from srlm.config.rewards import JUDGE, RewardPart
from srlm.types import Reward, Verdict


def verdicts_by_part(parts: Sequence[RewardPart], verdicts: Sequence[Verdict]) -> list[list[Verdict]]:
    """Return the verdicts of each source. Those of the judge have its name, and not that of another source."""
    named = {part.source: place for place, part in enumerate(parts)}
    found: list[list[Verdict]] = [[] for _ in parts]
    for verdict in verdicts:
        found[named.get(verdict.judge, named.get(JUDGE, 0))].append(verdict)
    return found


def combine(parts: Sequence[RewardPart], rewards: Sequence[Sequence[Reward]]) -> list[Reward]:
    """Return the reward of each answer by all sources.

    Args:
        parts: the sources, with weights and vetoes.
        rewards: of each source, those of all answers in one order.
    """
    return [_combined(parts, of_answer) for of_answer in zip(*rewards, strict=True)]


def values_for_order(rewards: Sequence[Reward]) -> dict[str, float | None]:
    """Return by its id the value that orders an answer among all of these: its reward, None where it has none.

    Vetoed answers have one value together, below all others: none of them can be chosen, so they are equal.
    """
    lowest = min((one.value for one in rewards if one.value is not None and not one.vetoed_by), default=0.0)
    below = min(lowest - 1, nextafter(lowest, -inf))  # the second for values so large that 1 is lost in rounding
    return {one.answer_id: below if one.vetoed_by and one.value is not None else one.value for one in rewards}


def _combined(parts: Sequence[RewardPart], rewards: Sequence[Reward]) -> Reward:
    pairs = list(zip(parts, rewards, strict=True))
    vetoes = tuple(part.source for part, reward in pairs if _vetoes(part, reward.value))
    return Reward(
        answer_id=rewards[0].answer_id,
        value=_mean(pairs),
        spread=rewards[0].spread if len(parts) == 1 else None,
        scored=sum(reward.scored for reward in rewards),
        unparsed=sum(reward.unparsed for reward in rewards),
        failed=sum(reward.failed for reward in rewards),
        verdict_ids=tuple(one for reward in rewards for one in reward.verdict_ids),
        vetoed_by=vetoes,
    )


def _vetoes(part: RewardPart, value: float | None) -> bool:
    return part.veto_below is not None and value is not None and value < part.veto_below


def _mean(pairs: Sequence[tuple[RewardPart, Reward]]) -> float | None:
    """Return the weighted mean; None if any source has no value."""
    whole = sum(part.share for part, _ in pairs)
    mean = 0.0
    for part, reward in pairs:
        if reward.value is None:
            return None
        mean += part.share / whole * reward.value  # so that no sum is larger than the largest value
    return mean
