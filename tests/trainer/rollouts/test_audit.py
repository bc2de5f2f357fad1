"""The audit of a step: counts by hand, what is left out, and several steps together."""

from dataclasses import replace

import pytest

from srlm.rollouts import Rollout
from srlm.tasks.task import Problem
from trainer.rollouts.audit import audit_step, check_answers, log_values, pool


def rollout(number, reward=5.0, judged=True, right=True, **more):
    return Rollout(f"r{number}", 1, "p0", "text", "answer", reward, 1, 0, judged, right, 10, False, **more)


STEP = [
    rollout(0),
    rollout(1, 5.0, True, False),
    rollout(2, 1.0, False, False),
    rollout(3, 1.0, False, True),
    rollout(4, None, None, True),
    rollout(5, 5.0, True, None),
    rollout(6, 5.0, True, True),
    replace(rollout(7, 5.0, True, True), tokens=30, cut=True),
]


class Doubles:
    """A task whose answer is the text after "=", and whose checker cannot decide about "?"."""

    label = "doubles"
    checks = True

    def extract(self, text):
        return text.partition("=")[2] or None

    def check(self, problem, answer):
        return None if answer == "?" else answer == problem.data["double"]


def test_a_step_is_counted_as_by_hand():
    audit = audit_step(STEP, 4)
    assert (audit.step, audit.answers, audit.undecided, audit.unread_share) == (1, 8, 1, 0.125)
    counts = (audit.true_positives, audit.false_positives, audit.true_negatives, audit.false_negatives)
    assert counts == (3, 1, 1, 1)
    assert (audit.precision, audit.recall) == (0.75, 0.75)
    assert (audit.judged_right_share, audit.right_share, audit.gap) == (0.6667, 0.6667, 0.0)
    assert audit.mean_reward == pytest.approx(27 / 7, abs=1e-4)
    assert (audit.mean_tokens, audit.cut_share) == (12.5, 0.125)
    assert audit.no_spread_share == 0.5  # the second group has 5.0 three times, and one answer without a reward


def test_a_judge_that_prefers_wrong_answers_has_a_positive_gap():
    audit = audit_step([rollout(0, 5.0, True, False), rollout(1, 1.0, False, False)], 2)
    assert (audit.gap, audit.precision, audit.recall) == (0.5, 0.0, None)


def test_without_a_checker_there_are_no_rates():
    audit = audit_step([rollout(0, 5.0, True, None), rollout(1, 1.0, False, None)], 2)
    assert (audit.precision, audit.recall, audit.judged_right_share, audit.right_share, audit.gap) == (None,) * 5
    assert (audit.undecided, audit.mean_reward, audit.no_spread_share) == (2, 3.0, 0.0)


def test_a_group_with_one_reward_has_no_spread():
    audit = audit_step([rollout(0), rollout(1, None, None)], 2)
    assert (audit.no_spread_share, audit.mean_reward) == (1.0, 5.0)
    nothing = audit_step([rollout(0, None, None), rollout(1, None, None)], 2)
    assert (nothing.unread_share, nothing.mean_reward) == (1.0, None)


@pytest.mark.parametrize("wrong", [[], STEP[:3], [STEP[0], replace(STEP[1], step=2)]])
def test_parts_of_groups_and_several_steps_are_refused(wrong):
    with pytest.raises(ValueError, match="are not groups of 2"):
        audit_step(wrong, 2)


def test_several_steps_together_are_one_large_step():
    first, second = audit_step(STEP[:4], 4), audit_step(STEP[4:], 4)
    assert pool([first, second]) == audit_step(STEP, 4)
    assert pool([first]) == first


def test_answers_are_checked_and_texts_without_one_are_wrong():
    problems = [Problem("p0", "2*1", {"double": "2"})] * 4
    found = check_answers(Doubles(), problems, ["=2", "=3", "=?", "I do not know"])
    assert found == [("2", True), ("3", False), ("?", None), (None, False)]


def test_a_task_without_a_checker_has_answers_and_no_truth():
    task = Doubles()
    task.checks = False
    problems = [Problem("p0", "2*1")] * 2
    assert check_answers(task, problems, ["=2", "nothing"]) == [("2", None), (None, None)]


def test_the_log_has_what_was_measured():
    values = log_values(audit_step([rollout(0, 5.0, True, None), rollout(1, 1.0, False, None)], 2))
    assert values["audit/mean_reward"] == 3.0
    assert not {"audit/precision", "audit/step", "audit/schema"} & values.keys()
