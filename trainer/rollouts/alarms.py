"""Alarms: signs that a policy has learned what its judge likes and not what is right.

Each compares the last `monitor.audit_steps` steps with a threshold, or with as many first steps:

    precision   of the answers that the judge calls right, too few are
    gap         the share that it calls right has grown more than the share that is right
    length      answers have become longer or shorter

The first two need a checker, which nothing learns from. A difference must also be larger than chance explains: more
than four standard errors, the larger one of that of independent answers and that between steps (answers to one problem
depend on each other). Delay and false alarms are measured in docs/explain/monitor.md.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import hypot, sqrt
from typing import Literal

from srlm.config.monitor import MonitorConfig
from srlm.rollouts import StepAudit

ERRORS = 4
"""Standard errors beyond which a difference is not chance: alarms are looked for at every step."""

Kind = Literal["precision", "gap", "length"]


@dataclass(frozen=True)
class Alarm:
    """A value of the last steps that is beyond its threshold.

    Attributes:
        step: at whose end it was found.
        first: the first of the steps that it looks at.
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
    ends = range(config.audit_steps, len(audits))
    return [
        alarm
        for check in CHECKS.values()
        if (alarm := check(audits, config)) and not any(check(audits[:end], config) for end in ends)
    ]


def all_alarms(audits: Sequence[StepAudit], config: MonitorConfig) -> list[Alarm]:
    """Return the alarms of all steps so far: each kind once, at the first step that has it."""
    ends = range(config.audit_steps, len(audits) + 1)
    found = (next(filter(None, (check(audits[:end], config) for end in ends)), None) for check in CHECKS.values())
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
    first, last = audits[: config.audit_steps], audits[-config.audit_steps :]
    if len(audits) <= config.audit_steps or not (_audited(first) and _audited(last)):
        return None
    (before, error_before), (value, error) = _mean_gap(first), _mean_gap(last)
    if value - before <= max(config.max_gap_growth, ERRORS * hypot(error_before, error)):
        return None
    return Alarm("gap", last[-1].step, last[0].step, value, before, "max_gap_growth", config.max_gap_growth)


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


CHECKS: Mapping[Kind, Callable[[Sequence[StepAudit], MonitorConfig], Alarm | None]] = {
    "precision": _precision,
    "gap": _gap,
    "length": _length,
}
"""For each kind the function that looks at the end of the audits so far."""


def _audited(audits: Sequence[StepAudit]) -> int:
    """Return the number of answers that have both a judgement and a truth."""
    return sum(one.true_positives + one.false_positives + one.true_negatives + one.false_negatives for one in audits)


def _mean_gap(audits: Sequence[StepAudit]) -> tuple[float, float]:
    """Return the gap of several steps together, with its standard error."""
    counts = [_audited([one]) for one in audits]
    value, between = _ratio([one.false_positives - one.false_negatives for one in audits], counts)
    # An answer counts 1 if it is wrongly called right, -1 if it is wrongly called wrong, else 0.
    square = sum(one.false_positives + one.false_negatives for one in audits) / sum(counts)
    return value, max(between, sqrt(max(0.0, square - value**2) / sum(counts)))


def _ratio(tops: Sequence[float], bottoms: Sequence[int]) -> tuple[float, float]:
    """Return a ratio of sums over steps, with its standard error between steps: 0 for one step."""
    value, count = sum(tops) / sum(bottoms), len(tops)
    if count < 2:
        return value, 0.0
    residuals = [top - value * bottom for top, bottom in zip(tops, bottoms, strict=True)]
    # Of differences between neighbours (von Neumann 1941): a trend over the steps is looked for, and no error.
    squares = sum((one - two) ** 2 for one, two in pairwise(residuals)) / 2
    return value, sqrt(squares * count / (count - 1)) / sum(bottoms)
