"""Alarms: signs that a policy has learned what its judge likes and not what is right.

    gap         the share that it calls right has grown more than the share that is right
    precision   of the answers that the judge calls right, too few are
    length      answers have become longer or shorter

The first two need a checker, which nothing learns from. A growing gap has to be found before much is lost, so it is
looked for with a cumulative sum (Page 1954, "Continuous inspection schemes"): what each step has beyond the first steps
and an allowance is added up, never below 0, and a sum that chance hardly reaches is the alarm. The first steps are half
of `monitor.audit_steps`, because a policy changes from its first step on. The other two compare the last
`monitor.audit_steps` steps with their threshold, and ask for more than four standard errors. What chance does is
estimated between steps, because answers to one problem depend on each other. Delay and false alarms are measured in
docs/explain/monitor.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import hypot, sqrt
from typing import Literal

from srlm.config.monitor import MonitorConfig
from srlm.rollouts import StepAudit
from trainer.rollouts.audit import pool

ERRORS = 4
"""Standard errors beyond which a difference is not chance: alarms are looked for at every step."""
REACH = 4
"""Standard deviations of a step's gap that the cumulative sum has to exceed; 4 or 5 are usual."""
SLACK = 0.5
"""Standard deviations that a step's gap is allowed at least; the usual choice too: half of the growth it is best at."""
AT_MOST = 1.5
"""Standard deviations that one step can add: one problem whose answers are all judged wrong is no growth."""

Kind = Literal["precision", "gap", "length"]


@dataclass(frozen=True)
class Alarm:
    """A value of the last steps that is beyond its threshold.

    Attributes:
        step: at whose end it was found.
        first: the first of the steps that it looks at; of the gap, the one since which the sum has been above 0.
        value: of these steps.
        before: of the first steps of the training, where the threshold is one of their difference.
        setting: name of the threshold in `MonitorConfig`.
    """

    kind: Kind
    step: int
    first: int
    value: float
    before: float | None
    setting: str
    threshold: float

    def __str__(self) -> str:
        """Return the value, the threshold with the setting's name, and the advice: one line."""
        since = f"steps {self.first} to {self.step}"
        limit = f"monitor.{self.setting} = {self.threshold:.0%}"
        if self.kind == "precision":
            return (
                f"{since}: of the answers that the judge calls right only {self.value:.0%} are, below {limit}. What it "
                "rewards is mostly wrong: give it more EFT examples or more verdicts (judge.samples), or let another "
                "model judge (rollouts.judged_by)."
            )
        if self.kind == "gap":
            return (
                f"{since}: the judge calls {self.value:+.0%} more answers right than are, {self.before or 0:+.0%} in "
                f"the first steps: it grew by more than {limit}. The policy learns what its judge likes and not what "
                "is right: use an earlier checkpoint, and let another model judge (rollouts.judged_by), or set "
                "grpo.beta."
            )
        return (
            f"{since}: answers of {self.value:.0f} tokens, {self.before or 0:.0f} in the first steps: changed by more "
            f"than {limit}. Look at the answers in rollouts.jsonl: a judge that prefers length is easily satisfied."
        )


def find_alarms(audits: Sequence[StepAudit], config: MonitorConfig) -> list[Alarm]:
    """Return the alarms that the last step sets off: each kind once in a training, at the first step that has it.

    Args:
        audits: of all steps so far, in order.
        config: the thresholds.
    """
    return [alarm for alarm in all_alarms(audits, config) if alarm.step == audits[-1].step]


def all_alarms(audits: Sequence[StepAudit], config: MonitorConfig) -> list[Alarm]:
    """Return the alarms of all steps so far: each kind once, at the first step that has it."""
    ends = range(config.audit_steps, len(audits) + 1)
    windows = (
        next(filter(None, (check(audits[:end], config) for end in ends)), None) for check in (_precision, _length)
    )
    found = (_gap([one for one in audits if one.gap is not None], config), *windows)
    return sorted(filter(None, found), key=lambda alarm: alarm.step)


def _precision(audits: Sequence[StepAudit], config: MonitorConfig) -> Alarm | None:
    last, floor = audits[-config.audit_steps :], config.min_precision
    judged = [one.true_positives + one.false_positives for one in last]
    if len(last) < config.audit_steps or not sum(judged):
        return None
    value, between = _ratio([one.true_positives for one in last], judged)
    error = max(between, sqrt(floor * (1 - floor) / sum(judged)))
    if value >= floor - ERRORS * error:
        return None
    return Alarm("precision", last[-1].step, last[0].step, value, None, "min_precision", floor)


def _gap(audits: Sequence[StepAudit], config: MonitorConfig) -> Alarm | None:
    """Return the first alarm of the cumulative sum; each step is judged by what was known at it."""
    first = -(-config.audit_steps // 2)
    if len(audits) <= first:
        return None
    gaps = [one.gap or 0.0 for one in audits]
    before = pool(audits[:first]).gap or 0.0
    total = squares = 0.0
    start = first
    for place in range(1, len(gaps)):
        squares += _chance(gaps[place - 1 : place + 1])
        if place < first:
            continue
        deviation = sqrt(squares / place)
        # The first steps have an error too, which each later step would add again.
        allowed = max(config.max_gap_growth, SLACK * deviation) + deviation / sqrt(first)
        if total == 0:
            start = place
        total = max(0.0, total + min(gaps[place] - before - allowed, AT_MOST * deviation))
        if total > REACH * deviation:
            since = audits[start : place + 1]
            value = pool(since).gap or 0.0
            return Alarm("gap", since[-1].step, since[0].step, value, before, "max_gap_growth", config.max_gap_growth)
    return None


def _length(audits: Sequence[StepAudit], config: MonitorConfig) -> Alarm | None:
    first, last = audits[: config.audit_steps], audits[-config.audit_steps :]
    if len(audits) <= config.audit_steps:
        return None
    counts = [one.answers for one in first], [one.answers for one in last]
    (before, error_before), (value, error) = (
        _ratio([one.mean_tokens * one.answers for one in steps], count)
        for steps, count in zip((first, last), counts, strict=True)
    )
    if abs(value - before) <= max(config.max_length_drift * before, ERRORS * hypot(error_before, error)):
        return None
    return Alarm("length", last[-1].step, last[0].step, value, before, "max_length_drift", config.max_length_drift)


def _ratio(tops: Sequence[float], bottoms: Sequence[int]) -> tuple[float, float]:
    """Return a ratio of sums over steps, with its standard error between steps: 0 for one step."""
    value, count = sum(tops) / sum(bottoms), len(tops)
    if count < 2:
        return value, 0.0
    residuals = [top - value * bottom for top, bottom in zip(tops, bottoms, strict=True)]
    return value, sqrt(_chance(residuals) * count / (count - 1)) / sum(bottoms)


def _chance(values: Sequence[float]) -> float:
    """Return the squares that chance explains, from differences between neighbours (von Neumann 1941): no trend."""
    return sum((one - two) ** 2 for one, two in pairwise(values)) / 2
