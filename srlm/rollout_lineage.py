"""Lineage of a rollout: its problem, its group, and the replies of the judge to each of its verdicts.

Ids are paths: "M2-s00012-0005" is an answer of step 12 in the training of M2.
"""

import re
from dataclasses import dataclass

from srlm.errors import UnknownName
from srlm.rollouts import Rollout
from srlm.runs import Run
from srlm.tasks.task import Problem
from srlm.types import Completion

_ID = re.compile(r"(?P<model>M\d+)-s\d+-\d+")


@dataclass(frozen=True)
class RolloutLineage:
    """An answer of a policy in training.

    Attributes:
        problem: None if the run has no file of problems any more.
        group: all answers to the problem in the same step, with this one.
        replies: of the judge or of another source of the reward; None for one that is not in the ledger.
    """

    rollout: Rollout
    problem: Problem | None
    group: list[Rollout]
    replies: list[tuple[str, Completion | None]]


def is_rollout(identifier: str) -> bool:
    """Return whether an id is that of a rollout."""
    return _ID.fullmatch(identifier) is not None


def find_rollout(run: Run, identifier: str) -> RolloutLineage:
    """Collect the records of a rollout.

    Raises:
        UnknownName: no finished training of this run has it.
    """
    model = identifier.partition("-")[0]
    rollouts = run.records(f"{model}/rollouts", Rollout)
    place = next((place for place, one in enumerate(rollouts) if one.id == identifier), None)
    if place is None:
        raise UnknownName(f"In the run {run.name}, the rollout", identifier, [one.id for one in rollouts])
    found = rollouts[place]
    size = run.config.grpo.num_generations
    first = place // size * size
    problems = run.records(f"{model}/problems", Problem)
    ledger = run.existing_ledger
    replies: list[tuple[str, Completion | None]] = []
    for key in found.calls:
        call = ledger.call(key) if ledger else None
        replies.append((key, call[2] if call else None))
    return RolloutLineage(
        rollout=found,
        problem=next((one for one in problems if one.id == found.problem_id), None),
        group=rollouts[first : first + size],
        replies=replies,
    )
