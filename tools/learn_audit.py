"""The audit of a model that learned from rollouts: how far its judge could be believed, step by step and in all."""

from collections.abc import Sequence
from dataclasses import dataclass

from srlm.rollouts import StepAudit
from srlm.runs import Run
from trainer.rollouts.audit import pool


@dataclass(frozen=True)
class Audited:
    """The steps of one training together, and three figures of each: what is right, what was judged so, the reward.

    `right` and `judged_right` are shares of the step's answers, `reward` their mean in points; None where there is
    nothing to divide by.
    """

    model: str
    whole: StepAudit
    right: list[float | None]
    judged_right: list[float | None]
    reward: list[float | None]


def audited(run: Run, model: str) -> Audited:
    """Pool the audits of the training of a model.

    Raises:
        ValueError: there is none.
    """
    steps = run.records(f"{model}/audit", StepAudit)
    return Audited(model, pool(steps), *_curves(steps))


def _curves(steps: Sequence[StepAudit]) -> tuple[list[float | None], list[float | None], list[float | None]]:
    return (
        [one.right_share for one in steps],
        [one.judged_right_share for one in steps],
        [one.mean_reward for one in steps],
    )
