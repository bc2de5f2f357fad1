"""Metrics of an iteration with learn_from=rollouts, stored in health.jsonl of the model's folder.

The trainer computes them (`trainer.monitor.rollouts`), and terminal, trackers, model card and report show them.
"""

from dataclasses import dataclass, field

from srlm.rollouts import StepAudit
from srlm.types import SCHEMA


@dataclass(frozen=True)
class RolloutMetrics:
    """Audits of the answers of one iteration.

    Attributes:
        task: label of the task, with its rules.
        problems: that the iteration drew from.
        steps: optimiser steps with new answers.
        audit_steps: steps that `first` and `last` pool: `monitor.audit_steps`, or all steps of a shorter training.
        whole: audit of all answers.
        first: of the first steps, whose answers are nearly those of M_t.
        last: of the last steps.
        highest: highest score of the rubric; None for rewards without a scale.
        alarms: for each kind of alarm the first step that had it.
    """

    model: str
    task: str
    problems: int
    steps: int
    audit_steps: int
    whole: StepAudit
    first: StepAudit
    last: StepAudit
    highest: int | None
    alarms: dict[str, int] = field(default_factory=dict)
    schema: int = field(default=SCHEMA)

    @property
    def has_truth(self) -> bool:
        """Return true if a checker decided about answers that were judged."""
        return self.whole.right_share is not None
