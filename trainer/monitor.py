"""The health of an iteration, in one row: what the candidates, the self-judge and the pairs look like.

Watch the length of the answers, the share of equal rewards and the verdicts that could not be read: these go wrong
first.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from srlm.types import SCHEMA, Answer, Dropped, PreferencePair, Prompt, Reward, Scored, Unparsed, Verdict


@dataclass(frozen=True)
class Health:
    """Figures of one iteration. Lengths are in characters, gaps are chosen minus rejected."""

    model: str
    instructions: int
    refused: dict[str, int]
    candidates: int
    mean_length: float
    cut_share: float
    mean_reward: float | None
    score_histogram: dict[str, int]
    parse_rate: float
    failed_verdicts: int
    pairs: int
    dropped: dict[str, int]
    length_gap: float | None
    reward_gap: float | None
    schema: int = SCHEMA


def health(
    model: str,
    prompts: Sequence[Prompt],
    refused: Sequence[Dropped],
    answers: Sequence[Answer],
    verdicts: Sequence[Verdict],
    rewards: Sequence[Reward],
    pairs: Sequence[PreferencePair],
    dropped: Sequence[Dropped],
) -> Health:
    """Read an iteration's figures off its records."""
    scores = [verdict.reading.value for verdict in verdicts if isinstance(verdict.reading, Scored)]
    unparsed = sum(isinstance(verdict.reading, Unparsed) for verdict in verdicts)
    values = [reward.value for reward in rewards if reward.value is not None]
    return Health(
        model=model,
        instructions=len(prompts),
        refused=dict(Counter(one.reason for one in refused)),
        candidates=len(answers),
        mean_length=round(_mean([len(answer.text) for answer in answers]) or 0.0, 1),
        cut_share=round(_mean([answer.finish == "length" for answer in answers]) or 0.0, 3),
        mean_reward=_mean(values),
        score_histogram={
            str(score): count for score, count in sorted(Counter(round(score) for score in scores).items())
        },
        parse_rate=round(len(scores) / max(1, len(scores) + unparsed), 4),
        failed_verdicts=len(verdicts) - len(scores) - unparsed,
        pairs=len(pairs),
        dropped=dict(Counter(one.reason for one in dropped)),
        length_gap=_mean([len(pair.chosen) - len(pair.rejected) for pair in pairs]),
        reward_gap=_mean([pair.chosen_reward - pair.rejected_reward for pair in pairs]),
    )


def _mean(values: Sequence[float]) -> float | None:
    return round(fmean(values), 4) if values else None
