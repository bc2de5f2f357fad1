"""The comparison of two models as answerers and judges (tools/measure_rollouts.py): its figures, by hand."""

import pytest

from measure_rollouts import measure
from srlm.tasks.countdown import CountdownTask
from srlm.tasks.task import Problem
from srlm.types import Reward
from trainer.rollouts.rewards import Judged, Written


@pytest.fixture
def problem():
    return Problem("countdown-2-3-4-20", "Make 20.", {"numbers": [2, 3, 4], "target": 20})


def judged(problem, place, text, value):
    read = value is not None
    reward = Reward(f"a{place}", value, None, scored=int(read), unparsed=int(not read), failed=0)
    return Judged(Written(f"a{place}", problem, text, 5, False), reward, (), "")


def test_precision_and_recall_are_those_of_answers_that_have_both(problem):
    task = CountdownTask("exactly once", (3,))
    right, wrong = "Answer: (2 + 3) * 4", "Answer: 2 * 3 * 4"
    answers = [(right, 1.0), (right, 0.0), (wrong, 1.0), (wrong, 1.0), ("no answer", 0.0), (right, None)]
    found = measure("M2", "M1", task, [judged(problem, n, *one) for n, one in enumerate(answers)], 0.5)
    assert (found.judge, found.writer, found.answers) == ("M2", "M1", 6)
    assert found.right.value == pytest.approx(3 / 6)
    assert found.form.value == pytest.approx(5 / 6)
    assert found.read.value == pytest.approx(5 / 6)
    assert found.precision.value == pytest.approx(1 / 3)
    assert found.recall.value == pytest.approx(1 / 2)


def test_there_is_no_precision_without_an_answer_that_is_judged_right(problem):
    found = measure("M1", "M1", CountdownTask("exactly once", (3,)), [judged(problem, 0, "Answer: 2", 0.0)], 0.5)
    assert found.precision is None
    assert found.recall is None
