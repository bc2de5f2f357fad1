"""Samples of an iteration with learn_from=rollouts: problems with a group of answers, their rewards and their truth.

Of each iteration at most `MOST` groups are kept, drawn by the ids of their first answers.
"""

from evals.report.samples.training import MOST, iteration_suite
from evals.sample import OutcomeTag, Reply, Sample
from srlm.jsonl import by_id
from srlm.rollouts import Rollout
from srlm.runs import Run
from srlm.seeding import derive_seed
from srlm.tasks.task import Problem

OUTCOMES: dict[tuple[bool | None, bool | None], str] = {
    (True, True): "judged right, is right",
    (True, False): "judged right, is wrong",
    (False, True): "judged wrong, is right",
    (False, False): "judged wrong, is wrong",
}
"""Outcomes of answers, by the judge's word and the checker's."""

NO_REWARD = "no reward"


def rollout_iterations(run: Run) -> list[str]:
    """Return the models that were trained on rollouts, in order."""
    found = [path.parent.name for path in run.folder.glob("*/audit.jsonl")]
    return sorted(found, key=lambda name: (len(name), name))


def rollout_samples(run: Run) -> list[Sample]:
    """Return the samples of every iteration."""
    return [sample for model in rollout_iterations(run) for sample in _iteration_samples(run, model)]


def _iteration_samples(run: Run, model: str) -> list[Sample]:
    problems = by_id(run.records(f"{model}/problems", Problem))
    groups = _groups(run.records(f"{model}/rollouts", Rollout), run.config.grpo.num_generations)
    chosen = sorted(groups, key=lambda group: derive_seed("report", group[0].id))[:MOST]
    return [
        Sample(
            id=group[0].id,
            suite=iteration_suite(model),
            prompt=problems[group[0].problem_id].prompt if group[0].problem_id in problems else "",
            replies=tuple(_reply(one) for one in group),
            selection=f"step {group[0].step}",
        )
        for group in sorted(chosen, key=lambda group: group[0].step)
    ]


def _groups(rollouts: list[Rollout], size: int) -> list[list[Rollout]]:
    return [rollouts[start : start + size] for start in range(0, len(rollouts), size)]


def _reply(one: Rollout) -> Reply:
    by = f"policy, step {one.step}"
    outcome = NO_REWARD if one.reward is None else OUTCOMES.get((one.judged_right, one.right), "truth unknown")
    reward = "no reward" if one.reward is None else f"reward {one.reward:.2f}"
    truth = {True: "right", False: "wrong", None: "truth unknown"}[one.right]
    unread = f", {one.unread} of {one.scored + one.unread} verdicts unread" if one.unread else ""
    cut = ", cut at the token limit" if one.cut else ""
    score = "" if one.reward is None else f"{one.reward:.2f}"
    return Reply(
        by, one.text, f"{reward}, {truth}, {one.tokens} tokens{cut}{unread}", (OutcomeTag(by, outcome, score=score),)
    )
