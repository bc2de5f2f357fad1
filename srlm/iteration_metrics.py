"""The figures of an iteration as a run keeps them: M2/health.jsonl, one row an iteration.

The trainer writes them (`trainer.monitor.metrics`) and the report draws them (`evals.report`), so they belong to the kernel.
"""

from dataclasses import dataclass, field

from srlm.types import SCHEMA


@dataclass(frozen=True)
class IterationMetrics:
    """Figures of one iteration.

    Lengths are in characters, rewards and scores in points of the rubric, gaps are chosen minus rejected, and rates and
    shares between 0 and 1. None is what there was nothing to measure on.

    Attributes:
        duplicate_rate: instructions refused as too similar to a known one, of all that were written.
        diversity: mean distance of two new instructions, see `trainer.monitor.contamination`.
        contaminated: ids of new instructions that overlap with the evaluation set.
        length_drift: relative change of the mean length against the iteration before.
        score_histogram: readable verdicts by their rounded score; `highest` is the scale's.
        one_score_share: of the readable verdicts, those with the most common score (rounded to hundredths).
        top_share: of the readable verdicts, those that round to the highest score.
        spread: mean over candidates of how far the verdicts on one differ, see `srlm.types.Reward`.
        only_thoughts: candidates whose tokens all went into thoughts, so that there is no answer.
        canary_rewards: mean reward of the worthless answers, by their kind.
        frozen_reward: the frozen judge's mean reward of the candidates that both judges scored.
        self_excess: M_t's mean reward of the same candidates, less the frozen judge's.
    """

    model: str
    instructions: int
    refused: dict[str, int]
    duplicate_rate: float | None
    diversity: float | None
    contaminated: list[str]
    candidates: int
    mean_length: float
    length_drift: float | None
    cut_share: float
    mean_reward: float | None
    score_histogram: dict[str, int]
    highest: int
    one_score_share: float | None
    top_share: float | None
    spread: float | None
    parse_rate: float
    failed_verdicts: int
    canary_reward: float | None
    canary_rewards: dict[str, float]
    frozen_reward: float | None
    self_excess: float | None
    pairs: int
    dropped: dict[str, int]
    length_gap: float | None
    reward_gap: float | None
    schema: int = field(default=SCHEMA)
    only_thoughts: int = 0

    @property
    def canary_gap(self) -> float | None:
        """The candidates' mean reward less the worthless answers'."""
        return _difference(self.mean_reward, self.canary_reward)

    @property
    def pair_yield(self) -> float | None:
        """Pairs per new instruction."""
        return self.pairs / self.instructions if self.instructions else None

    @property
    def length_gap_share(self) -> float | None:
        """The length gap over the mean length."""
        return self.length_gap / self.mean_length if self.length_gap is not None and self.mean_length else None

    @property
    def contaminated_share(self) -> float | None:
        """Contaminated instructions of all new ones."""
        return len(self.contaminated) / self.instructions if self.instructions else None


@dataclass(frozen=True)
class PositivesMetrics(IterationMetrics):
    """Figures of an iteration that learns from positives: the same, without a pair.

    Attributes:
        positives: answers that are learned from.
        positive_instructions: instructions with at least one of them.
        positives_longer: their mean length less that of all candidates.
    """

    positives: int = 0
    positive_instructions: int = 0
    positives_longer: float | None = None

    @property
    def pair_yield(self) -> None:
        """There is none to measure."""


def _difference(one: float | None, two: float | None) -> float | None:
    return None if one is None or two is None else round(one - two, 4)
