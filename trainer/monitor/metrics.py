"""The health of an iteration, read off its records: what its instructions, candidates, self-judge and pairs look like.

Watch the length of the answers, the distance between real and worthless ones, and the verdicts that could not be read:
these go wrong first. The figures are `srlm.iteration_metrics`; what of them is too much or too little stands in `trainer.monitor.alerts`.
Left out: agreement with people's ranks, which `srlm eval --suite reward` measures with its intervals.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from srlm.iteration_metrics import IterationMetrics, PositivesMetrics
from srlm.judges.rubric import Scale
from srlm.seed_data import evaluation_set
from srlm.types import Answer, Dropped, PreferencePair, Prompt, Reward, Scored, Unparsed
from trainer.data.sft_examples import Example
from trainer.generation.filters import TOO_SIMILAR
from trainer.monitor.contamination import contaminated, diversity
from trainer.preferences.scoring import Judged

NOBODY = Judged([], [])


@dataclass(frozen=True)
class Iteration:
    """The records that an iteration's health is read off. `own`: M_t's judgements; `frozen`: another judge's.

    `positives` is None where the iteration learns from pairs.
    """

    model: str
    prompts: Sequence[Prompt] = ()
    refused: Sequence[Dropped] = ()
    candidates: Sequence[Answer] = ()
    own: Judged = NOBODY
    pairs: Sequence[PreferencePair] = ()
    dropped: Sequence[Dropped] = ()
    canaries: Judged = NOBODY
    frozen: Judged = NOBODY
    positives: Sequence[Example] | None = None


def health(iteration: Iteration, scale: Scale, before: IterationMetrics | None) -> IterationMetrics:
    """Read an iteration's figures off its records; `before` is the iteration before it, where there is one."""
    prompts, candidates, pairs = iteration.prompts, iteration.candidates, iteration.pairs
    verdicts, rewards = iteration.own.verdicts, iteration.own.rewards
    scores = [verdict.reading.value for verdict in verdicts if isinstance(verdict.reading, Scored)]
    unparsed = sum(isinstance(verdict.reading, Unparsed) for verdict in verdicts)
    common = Counter(round(score, 2) for score in scores).most_common(1)
    refused = Counter(one.reason for one in iteration.refused)
    written = len(prompts) + refused.total()
    texts = [prompt.instruction for prompt in prompts]
    overlapping = contaminated(texts, [prompt.instruction for prompt in evaluation_set()])
    length = round(_mean([len(answer.text) for answer in candidates]) or 0.0, 1)
    own, frozen = _values(rewards), _values(iteration.frozen.rewards)
    both = [key for key in own if key in frozen]
    frozen_mean = _mean([frozen[key] for key in both])
    canaries = _values(iteration.canaries.rewards)
    of_kind: dict[str, list[float]] = {}
    for key, value in canaries.items():
        of_kind.setdefault(key.rpartition("-")[2], []).append(value)
    found = IterationMetrics(
        model=iteration.model,
        instructions=len(prompts),
        refused=dict(refused),
        duplicate_rate=_rounded(refused[TOO_SIMILAR] / written) if written else None,
        diversity=_rounded(diversity(texts)),
        contaminated=[prompts[index].id for index in overlapping],
        candidates=len(candidates),
        mean_length=length,
        length_drift=_rounded(length / before.mean_length - 1) if before and before.mean_length else None,
        cut_share=round(_mean([answer.finish != "stop" for answer in candidates]) or 0.0, 3),
        mean_reward=_mean(list(own.values())),
        score_histogram={
            str(score): count for score, count in sorted(Counter(round(score) for score in scores).items())
        },
        highest=scale.highest,
        one_score_share=_rounded(common[0][1] / len(scores)) if common else None,
        top_share=_mean([round(score) == scale.highest for score in scores]),
        spread=_mean([reward.spread for reward in rewards if reward.spread is not None]),
        parse_rate=round(len(scores) / max(1, len(scores) + unparsed), 4),
        failed_verdicts=len(verdicts) - len(scores) - unparsed,
        canary_reward=_mean(list(canaries.values())),
        canary_rewards={kind: round(fmean(values), 4) for kind, values in of_kind.items()},
        frozen_reward=frozen_mean,
        self_excess=_difference(_mean([own[key] for key in both]), frozen_mean),
        pairs=len(pairs),
        dropped=dict(Counter(one.reason for one in iteration.dropped)),
        length_gap=_mean([len(pair.chosen) - len(pair.rejected) for pair in pairs]),
        reward_gap=_mean([pair.chosen_reward - pair.rejected_reward for pair in pairs]),
        only_thoughts=sum(not answer.text and bool(answer.thoughts) for answer in candidates),
    )
    if iteration.positives is None:
        return found
    return PositivesMetrics(
        **vars(found),
        positives=len(iteration.positives),
        positive_instructions=len({one.prompt for one in iteration.positives}),
        positives_longer=_difference(_mean([len(one.completion) for one in iteration.positives]), length),
    )


def _values(rewards: Sequence[Reward]) -> dict[str, float]:
    return {reward.answer_id: reward.value for reward in rewards if reward.value is not None}


def _mean(values: Sequence[float]) -> float | None:
    return round(fmean(values), 4) if values else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _difference(one: float | None, two: float | None) -> float | None:
    return None if one is None or two is None else round(one - two, 4)
