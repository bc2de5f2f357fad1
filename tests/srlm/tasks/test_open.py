"""Every task: problems of two splits that never mix, checked answers, and messages for names that are none."""

import json
import re

import pytest

from srlm.config.rollouts import RolloutsConfig
from srlm.errors import UnknownName, UsageError
from srlm.tasks.open import NAMES, open_task
from srlm.tasks.task import Problem


@pytest.fixture(scope="module", params=NAMES)
def task(request):
    return open_task(RolloutsConfig(task=request.param))


def test_train_and_test_share_no_problem_for_any_seed(task):
    train = {one.prompt for seed in (0, 1) for one in task.problems(150, seed, "train")}
    test = {one.prompt for seed in (0, 2) for one in task.problems(150, seed, "test")}
    assert not train & test


def test_problems_depend_on_the_seed_and_a_larger_number_begins_with_a_smaller_one(task):
    found = task.problems(30, 0, "train")
    assert found == task.problems(30, 0, "train")
    assert found[:10] == task.problems(10, 0, "train")
    assert [one.id for one in found] != [one.id for one in task.problems(30, 1, "train")]
    assert len({one.id for one in found}) == 30


def test_problems_are_json_and_hold_no_solution(task):
    one = task.problems(1, 0, "train")[0]
    assert json.loads(json.dumps(dict(one.data))) == one.data
    assert "solution" not in one.data


def test_a_text_without_an_answer_has_none(task):
    assert task.extract("I do not know.") is None
    assert task.extract("") is None


def test_an_unknown_task_is_named_with_those_that_are():
    with pytest.raises(UnknownName, match=r"countdown, integration, arithmetic"):
        open_task(RolloutsConfig(task="coutdown"))


def test_more_problems_than_there_are():
    with pytest.raises(UsageError, match=r"has 3555 problems in its split test"):
        open_task(RolloutsConfig(task="puzzle")).problems(100_000, 0, "test")


def test_the_label_names_rule_and_sizes():
    config = RolloutsConfig(task="countdown", numbers="at most once", sizes=(3, 4))
    assert open_task(config).label == "countdown (at most once, 3 or 4 numbers)"


@pytest.mark.parametrize(
    ("answer", "exactly", "at_most"),
    [
        ("(25 + 2) * 3", True, True),
        ("(25 + 2) * 3 = 81", True, True),
        ("(25 + 2) * 3 = 80", False, False),
        ("81", False, False),
        ("(25 + 3 - 1) * 3", False, False),
        ("9 * 9", False, False),
        ("25 * 3", False, False),
        ("", False, False),
        ("__import__('os').system('true')", False, False),
    ],
)
def test_countdown_by_both_rules(answer, exactly, at_most):
    problem = Problem("c", "", {"numbers": [2, 3, 25], "target": 81})
    rules = {"exactly once": exactly, "at most once": at_most}
    for rule, right in rules.items():
        assert open_task(RolloutsConfig(task="countdown", numbers=rule)).check(problem, answer) is right


def test_a_number_that_is_left_over_is_right_by_one_rule_only():
    problem = Problem("c", "", {"numbers": [2, 3, 25], "target": 75})
    found = {
        rule: open_task(RolloutsConfig(task="countdown", numbers=rule)).check(problem, "25 * 3")
        for rule in ("exactly once", "at most once")
    }
    assert found == {"exactly once": False, "at most once": True}


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ("42", True),
        ("$42", True),
        ("42.0", True),
        ("-42", False),
        ("1,042", False),
        ("42 apples", False),
        ("4²", False),
    ],
)
def test_numbers_of_word_problems(answer, right):
    assert open_task(RolloutsConfig(task="arithmetic")).check(Problem("a", "", {"answer": 42}), answer) is right


def test_word_problems_have_whole_answers_in_the_form_that_is_asked_for():
    task = open_task(RolloutsConfig(task="arithmetic"))
    for one in task.problems(28, 0, "train"):
        assert isinstance(one.data["answer"], int)
        assert one.data["answer"] > 0
        assert task.check(one, task.extract(f"So it is clear.\nAnswer: {one.data['answer']}."))


def test_the_answer_of_a_word_problem_follows_from_its_numbers():
    """Two of the templates, worked out again from their text."""
    task = open_task(RolloutsConfig(task="arithmetic"))
    seen = set()
    for one in task.problems(56, 0, "train"):
        numbers = [int(part) for part in re.findall(r"[0-9]+", one.prompt.partition("\n")[0])]
        if "brings" in one.prompt:
            assert one.data["answer"] == numbers[0] + numbers[1] * numbers[2]
            seen.add("brings")
        if "zoo" in one.prompt:
            assert one.data["answer"] == numbers[0] * numbers[2] + numbers[1] * numbers[3]
            seen.add("zoo")
    assert seen == {"brings", "zoo"}
