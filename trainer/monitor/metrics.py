"""Metrics of an iteration, computed from its records: prompts, candidates, self-judgements, pairs.

The first to go wrong are the length of the answers, the reward gap between real and degenerate answers, and the share
of parsed verdicts. The record is `srlm.iteration_metrics`, and the thresholds are in `trainer.monitor.alerts`. Left
out: agreement with human ranks, which `srlm eval --suite reward` measures with confidence intervals.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, pstdev
from typing import Any

from srlm.iteration_metrics import IterationMetrics, PositivesMetrics
from srlm.judges.rubric import Scale
from srlm.seed_data import evaluation_set
from srlm.stats.five_numbers import five_numbers
from srlm.types import Answer, Dropped, PreferencePair, Prompt, Reward, Scored, SFTExample, Unparsed
from trainer.generation.contamination import contaminated, diversity, user_text
from trainer.generation.filters import TOO_SIMILAR
from trainer.preferences.scoring import Scores

NO_SCORES = Scores([], [])


@dataclass(frozen=True)
class IterationRecords:
    """The records of an iteration.

    Attributes:
        own: scores of the candidates by M_t.
        degenerate: scores of the degenerate answers by M_t.
        frozen: scores of the candidates by the frozen judge.
        positives: None if the iteration trains on pairs.
    """

    model: str
    prompts: Sequence[Prompt] = ()
    refused: Sequence[Dropped] = ()
    candidates: Sequence[Answer] = ()
    own: Scores = NO_SCORES
    pairs: Sequence[PreferencePair] = ()
    dropped: Sequence[Dropped] = ()
    degenerate: Scores = NO_SCORES
    frozen: Scores = NO_SCORES
    positives: Sequence[SFTExample] | None = None


def compute_metrics(
    records: IterationRecords, scale: Scale | None, before: IterationMetrics | None
) -> IterationMetrics:
    """Compute the metrics of an iteration.

    Args:
        records: of the iteration.
        scale: of the rewards; None for those without one.
        before: the metrics of the iteration before it, if there is one.
    """
    length = round(_mean([len(answer.text) for answer in records.candidates]) or 0.0, 1)
    metrics = IterationMetrics(
        model=records.model,
        **_prompt_metrics(records),
        **_candidate_metrics(records, length, before),
        **_verdict_metrics(records, scale),
        **_reward_metrics(records, scale),
        pairs=len(records.pairs),
        dropped=dict(Counter(one.reason for one in records.dropped)),
        length_gap=_mean([len(pair.chosen) - len(pair.rejected) for pair in records.pairs]),
        reward_gap=_mean([pair.chosen_reward - pair.rejected_reward for pair in records.pairs]),
    )
    if records.positives is None:
        return metrics
    return PositivesMetrics(
        **vars(metrics),
        positives=len(records.positives),
        positive_instructions=len({(one.context, one.prompt) for one in records.positives}),
        positives_longer=_difference(_mean([len(one.completion) for one in records.positives]), length),
    )


def _prompt_metrics(records: IterationRecords) -> dict[str, Any]:
    """Return counts, diversity and contamination of the new prompts."""
    prompts = records.prompts
    refused = Counter(one.reason for one in records.refused)
    written = len(prompts) + refused.total()
    texts = [user_text(prompt) for prompt in prompts]
    overlapping = contaminated(texts, [user_text(prompt) for prompt in evaluation_set()])
    return {
        "instructions": len(prompts),
        "refused": dict(refused),
        "duplicate_rate": _rounded(refused[TOO_SIMILAR] / written) if written else None,
        "diversity": _rounded(diversity(texts)),
        "contaminated": [prompts[index].id for index in overlapping],
    }


def _candidate_metrics(records: IterationRecords, length: float, before: IterationMetrics | None) -> dict[str, Any]:
    """Return count, length and truncation of the candidates; `length` is their mean length."""
    candidates = records.candidates
    return {
        "candidates": len(candidates),
        "mean_length": length,
        "length_drift": _rounded(length / before.mean_length - 1) if before and before.mean_length else None,
        "cut_share": round(_mean([answer.finish != "stop" for answer in candidates]) or 0.0, 3),
        "only_thoughts": sum(not answer.text and bool(answer.thoughts) for answer in candidates),
    }


def _verdict_metrics(records: IterationRecords, scale: Scale | None) -> dict[str, Any]:
    """Return parse rate and distribution of the verdicts on the candidates; of several sources, that of the rewards."""
    verdicts, rewards = records.own.verdicts, records.own.rewards
    readings = [verdict.reading for verdict in verdicts]
    parsed = [reading.value for reading in readings if isinstance(reading, Scored)]
    unparsed = sum(isinstance(reading, Unparsed) for reading in readings)
    several = len({verdict.judge for verdict in verdicts}) > 1
    scores = list(_values(rewards).values()) if several else parsed
    return {
        **_distribution(scores, scale),
        "spread": _mean([reward.spread for reward in rewards if reward.spread is not None]),
        "parse_rate": round(len(parsed) / max(1, len(parsed) + unparsed), 4),
        "failed_verdicts": len(verdicts) - len(parsed) - unparsed,
        "vetoed": sum(bool(reward.vetoed_by) for reward in rewards),
    }


def _distribution(scores: Sequence[float], scale: Scale | None) -> dict[str, Any]:
    """Return the distribution of scores: by the points of the scale, or without one as quartiles."""
    common = Counter(scores if scale is None else [round(score, 2) for score in scores]).most_common(1)
    share = _rounded(common[0][1] / len(scores)) if common else None
    if scale is None:
        found: dict[str, Any] = {"score_histogram": {}, "highest": None, "one_score_share": share, "top_share": None}
        return {**found, "quartiles": five_numbers(scores), "deviation": pstdev(scores) if scores else None}
    histogram = Counter(round(score) for score in scores)
    return {
        "score_histogram": {str(score): count for score, count in sorted(histogram.items())},
        "highest": scale.highest,
        "one_score_share": share,
        "top_share": _mean([round(score) == scale.highest for score in scores]),
    }


def _reward_metrics(records: IterationRecords, scale: Scale | None) -> dict[str, Any]:
    """Return mean rewards of candidates and degenerate answers, and the difference from the frozen judge.

    The frozen judge scores by the rubric, so there is no difference from rewards without a scale.
    """
    own, frozen = _values(records.own.rewards), _values(records.frozen.rewards)
    both = [key for key in own if key in frozen]
    frozen_mean = _mean([frozen[key] for key in both])
    degenerate = _values(records.degenerate.rewards)
    of_kind: dict[str, list[float]] = {}
    for key, value in degenerate.items():
        of_kind.setdefault(key.rpartition("-")[2], []).append(value)
    return {
        "mean_reward": _mean(list(own.values())),
        "canary_reward": _mean(list(degenerate.values())),
        "canary_rewards": {kind: round(fmean(values), 4) for kind, values in of_kind.items()},
        "frozen_reward": frozen_mean,
        "self_excess": None if scale is None else _difference(_mean([own[key] for key in both]), frozen_mean),
    }


def _values(rewards: Sequence[Reward]) -> dict[str, float]:
    return {reward.answer_id: reward.value for reward in rewards if reward.value is not None}


def _mean(values: Sequence[float]) -> float | None:
    return round(fmean(values), 4) if values else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _difference(one: float | None, two: float | None) -> float | None:
    return None if one is None or two is None else round(one - two, 4)
