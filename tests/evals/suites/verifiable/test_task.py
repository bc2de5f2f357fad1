"""A task of rollouts as a benchmark: its test split, by its own checker."""

from textwrap import dedent

import pytest

from evals.suites.verifiable.task import NO_ANSWER, UNDECIDED, task_benchmark
from srlm.config.rollouts import RolloutsConfig
from srlm.errors import UsageError
from srlm.tasks.open import open_task

FILE = """
    def problems():
        return [{"number": number} for number in range(50)]

    def prompt(problem):
        return f"Double {problem['number']}."

    def extract(text):
        return text if text.isdigit() else None
"""
CHECK = """
    def check(problem, answer):
        return None if answer == "0" else int(answer) == 2 * problem["number"]
"""


def test_countdown_of_a_run_asks_its_test_split_by_its_rule():
    config = RolloutsConfig(task="countdown", sizes=(3,))
    benchmark = task_benchmark(config, 20)
    assert benchmark.rule == "each number exactly once"
    problems = open_task(config).problems(20, 0, "test")
    assert [one.prompt.instruction for one in benchmark.items] == [one.prompt for one in problems]
    assert {one.prompt.category for one in benchmark.items} == {"3 numbers"}


def test_word_problems_are_checked_by_the_last_line():
    benchmark = task_benchmark(RolloutsConfig(task="arithmetic"), 5)
    item = benchmark.items[0]
    assert benchmark.check(item, f"Answer: {item.arguments[0]['answer']}").strict == (True,)
    assert benchmark.check(item, "Answer: 0").strict == (False,)
    assert benchmark.check(item, f"It is {item.arguments[0]['answer']}.").flaw == NO_ANSWER
    assert benchmark.name == "task"
    assert "arithmetic" in benchmark.checker


def test_a_task_file_needs_a_check_and_as_many_problems_as_are_asked_for(tmp_path):
    file = tmp_path / "doubles.py"
    file.write_text(dedent(FILE), encoding="utf-8")
    with pytest.raises(UsageError, match=r"has no check\(\)"):
        task_benchmark(RolloutsConfig(task=str(file)), 3)
    file.write_text(dedent(FILE) + dedent(CHECK), encoding="utf-8")
    with pytest.raises(UsageError, match="--limit"):
        task_benchmark(RolloutsConfig(task=str(file)), None)
    benchmark = task_benchmark(RolloutsConfig(task=str(file)), 3)
    item = benchmark.items[0]
    right = str(2 * item.arguments[0]["number"])
    assert [benchmark.check(item, text).strict for text in (right, "1", "0", "?")] == [
        (True,),
        (False,),
        (False,),
        (False,),
    ]
    assert benchmark.check(item, "0").flaw == UNDECIDED
