"""The audit of rollouts: the checker's word on each answer, and per step how far the judge can be believed.

Nothing here is an input of a reward. Rates are those of the answers that have both a judgement and a truth: an answer
without a reward, or one about which the checker cannot decide, is counted and left out. Left out: intervals, because
the answers of a step are few and depend on each other; `trainer.rollouts.alarms` compares several steps.
"""

from collections.abc import Sequence
from dataclasses import asdict
from statistics import fmean
from typing import Any

from srlm.rollouts import Rollout, StepAudit
from srlm.tasks.task import Problem, Task

LOGGED = "audit"
"""Prefix of the audit's values in the training log and in trackers."""


def check_answers(
    task: Task, problems: Sequence[Problem], texts: Sequence[str]
) -> list[tuple[str | None, bool | None]]:
    """Extract the answer of each text and check it.

    Args:
        task: with or without a checker.
        problems: the problem of each text.
        texts: whole answers of the policy.

    Returns:
        For each text its extracted answer, None if there is none, and the truth: None if there is no checker or it
        cannot decide. A text without an answer is wrong.

    Raises:
        ValueError: there are not as many texts as problems.
    """
    return [_checked(task, problem, text) for problem, text in zip(problems, texts, strict=True)]


def _checked(task: Task, problem: Problem, text: str) -> tuple[str | None, bool | None]:
    answer = task.extract(text)
    if not task.checks:
        return answer, None
    return answer, False if answer is None else task.check(problem, answer)


def audit_step(rollouts: Sequence[Rollout], num_generations: int) -> StepAudit:
    """Audit the answers of one step.

    Args:
        rollouts: of all processes. Those of a group stand next to each other.
        num_generations: answers of a group.

    Raises:
        ValueError: there is no answer, a group is not whole, or they are of several steps.
    """
    steps = {one.step for one in rollouts}
    if len(steps) != 1 or len(rollouts) % num_generations:
        raise ValueError(f"{len(rollouts)} answers of the steps {sorted(steps)} are not groups of {num_generations}")
    groups = [rollouts[start : start + num_generations] for start in range(0, len(rollouts), num_generations)]
    rewards = [one.reward for one in rollouts if one.reward is not None]
    count = len(rollouts)
    pairs = [(one.judged_right, one.right) for one in rollouts]
    return StepAudit(
        step=steps.pop(),
        answers=count,
        unread_share=_share(count - len(rewards), count) or 0.0,
        mean_reward=round(fmean(rewards), 4) if rewards else None,
        **agreement(
            *(pairs.count(pair) for pair in ((True, True), (True, False), (False, False), (False, True))),
        ),
        mean_tokens=round(fmean(one.tokens for one in rollouts), 2),
        cut_share=round(fmean(one.cut for one in rollouts), 4),
        no_spread_share=round(fmean(not _has_spread(group) for group in groups), 4),
        undecided=sum(one.right is None for one in rollouts),
    )


def pool(audits: Sequence[StepAudit]) -> StepAudit:
    """Return the audit of the answers of several steps together; its step is the last one.

    Shares of all answers are weighted by the number of answers, the mean reward by that of the rewards.

    Raises:
        ValueError: there is no audit.
    """
    if not audits:
        raise ValueError("no audit to pool")
    count = sum(one.answers for one in audits)
    read = [one.answers * (1 - one.unread_share) for one in audits]
    rewards = sum(n * one.mean_reward for n, one in zip(read, audits, strict=True) if one.mean_reward is not None)

    def mean(values: Sequence[float], digits: int = 4) -> float:
        return round(sum(one.answers * value for one, value in zip(audits, values, strict=True)) / count, digits)

    return StepAudit(
        step=audits[-1].step,
        answers=count,
        unread_share=mean([one.unread_share for one in audits]),
        mean_reward=round(rewards / sum(read), 4) if any(one.mean_reward is not None for one in audits) else None,
        **agreement(
            sum(one.true_positives for one in audits),
            sum(one.false_positives for one in audits),
            sum(one.true_negatives for one in audits),
            sum(one.false_negatives for one in audits),
        ),
        mean_tokens=mean([one.mean_tokens for one in audits], 2),
        cut_share=mean([one.cut_share for one in audits]),
        no_spread_share=mean([one.no_spread_share for one in audits]),
        undecided=sum(one.undecided for one in audits),
    )


def log_values(audit: StepAudit) -> dict[str, float]:
    """Return the values of an audit for the training log and trackers, "audit/precision"; none that is None."""
    return {
        f"{LOGGED}/{name}": float(value)
        for name, value in asdict(audit).items()
        if value is not None and name not in ("step", "schema")
    }


def agreement(true_positives: int, false_positives: int, true_negatives: int, false_negatives: int) -> dict[str, Any]:
    """Return the four counts and what follows from them."""
    judged = true_positives + false_positives
    right = true_positives + false_negatives
    audited = judged + true_negatives + false_negatives
    return {
        "true_positives": true_positives,
        "false_positives": false_positives,
        "true_negatives": true_negatives,
        "false_negatives": false_negatives,
        "precision": _share(true_positives, judged),
        "recall": _share(true_positives, right),
        "judged_right_share": _share(judged, audited),
        "right_share": _share(right, audited),
        "gap": _share(judged - right, audited),
    }


def _has_spread(group: Sequence[Rollout]) -> bool:
    return len({one.reward for one in group if one.reward is not None}) > 1


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None
