"""Metrics of one training iteration, stored in health.jsonl of the model's folder.

The trainer computes them (`trainer.monitor.metrics`) and the report plots them (`evals.report`).
"""

from dataclasses import dataclass, field

from srlm.types import SCHEMA


@dataclass(frozen=True)
class IterationMetrics:
    """Metrics of one iteration.

    Lengths are in characters, rewards and scores in points of the rubric or in the units of the setting `reward`, gaps
    are chosen minus rejected, and rates and shares are between 0 and 1. None means not measured: there were no data.

    Attributes:
        duplicate_rate: share of the written instructions refused as too similar to a known one.
        diversity: mean distance of two new instructions, see `trainer.generation.contamination`.
        contaminated: ids of new instructions that overlap with the evaluation set.
        length_drift: relative change of the mean length since the iteration before.
        cut_share: share of the candidates that were cut at the token limit or by the server.
        score_histogram: parsed verdicts by their rounded score; of several sources, rewards. Empty without a scale.
        highest: highest score of the scale; None for rewards without one, those of programs and reward models.
        one_score_share: share of the parsed verdicts with the most frequent score (rounded to hundredths).
        top_share: share of the parsed verdicts that round to the highest score.
        spread: mean over candidates of the spread of their verdicts, see `srlm.types.Reward`.
        only_thoughts: candidates without an answer, because all their tokens went into reasoning.
        canary_reward: mean reward of the degenerate answers.
        canary_rewards: the same, by their kind.
        frozen_reward: the frozen judge's mean reward of the candidates that both judges scored.
        self_excess: M_t's mean reward of the same candidates minus the frozen judge's; None without a scale.
        vetoed: candidates that a source of the reward vetoes.
        quartiles: lowest reward, the three quartiles and highest reward of the candidates; None with a scale.
        deviation: standard deviation of the candidates' rewards; None with a scale.
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
    highest: int | None
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
    vetoed: int = 0
    quartiles: tuple[float, float, float, float, float] | None = None
    deviation: float | None = None

    @property
    def degenerate_gap(self) -> float | None:
        """The mean reward of the candidates minus that of the degenerate answers.

        Without a scale it is in standard deviations of the candidates' rewards.
        """
        gap = _difference(self.mean_reward, self.canary_reward)
        if self.highest is not None or gap is None:
            return gap
        return round(gap / self.deviation, 4) if self.deviation else None

    @property
    def pair_yield(self) -> float | None:
        """Pairs per new instruction."""
        return self.pairs / self.instructions if self.instructions else None

    @property
    def length_gap_share(self) -> float | None:
        """The length gap divided by the mean length."""
        return self.length_gap / self.mean_length if self.length_gap is not None and self.mean_length else None

    @property
    def contaminated_share(self) -> float | None:
        """The share of new instructions that are contaminated."""
        return len(self.contaminated) / self.instructions if self.instructions else None


@dataclass(frozen=True)
class PositivesMetrics(IterationMetrics):
    """Metrics of an iteration with learn_from=positives: the same, without pairs.

    Attributes:
        positives: best answers, used as SFT examples.
        positive_instructions: instructions with at least one of them.
        positives_longer: their mean length minus that of all candidates.
    """

    positives: int = 0
    positive_instructions: int = 0
    positives_longer: float | None = None

    @property
    def pair_yield(self) -> None:
        """None: there are no pairs."""


def _difference(one: float | None, two: float | None) -> float | None:
    return None if one is None or two is None else round(one - two, 4)
