"""Tasks of rollouts as checked benchmarks: the test split of a task of srlm or of the user's file (`srlm.tasks`)."""

from evals.suites.verifiable.benchmark import CheckedBenchmark, CheckedPrompt, CheckResult
from evals.suites.verifiable.countdown import countdown_benchmark
from srlm.config.rollouts import RolloutsConfig
from srlm.countdown.task import Countdown
from srlm.errors import UsageError
from srlm.tasks.countdown import CountdownTask
from srlm.tasks.open import open_task
from srlm.types import Prompt

PROBLEMS = 400
"""The number of problems, unless fewer are asked for."""
MAX_TOKENS = 1024
TASK = "task"
"""Name of the benchmark."""
SOLVED = ("solved",)
NO_ANSWER, UNDECIDED = "answers not in the form that was asked for", "answers that the checker cannot decide"
"""Flaws of an answer, which is not counted as solved."""
FLAWS = (NO_ANSWER, UNDECIDED)


def task_benchmark(config: RolloutsConfig, limit: int | None) -> CheckedBenchmark:
    """Return the first problems of a task's test split, in the order of seed 0.

    Raises:
        UsageError: the task has no checker, or too few problems; see `open_task` too.
    """
    task = open_task(config)
    if not task.checks:
        raise UsageError(
            f"The task {config.task} has no check(), so no program can say which answers are right. Write one "
            "(docs/howto/own_task.md), or take another suite."
        )
    problems = task.problems(limit or PROBLEMS, 0, "test")
    if isinstance(task, CountdownTask):
        puzzles = [Countdown(tuple(one.data["numbers"]), one.data["target"]) for one in problems]
        return countdown_benchmark(len(puzzles), task.rule, puzzles)
    of = {one.id: one for one in problems}

    def check(item: CheckedPrompt, text: str) -> CheckResult:
        answer = task.extract(text)
        if answer is None:
            return CheckResult((False,), flaw=NO_ANSWER)
        right = task.check(of[item.prompt.id], answer)
        return CheckResult((right is True,), flaw=UNDECIDED if right is None else None)

    items = tuple(
        CheckedPrompt(Prompt(one.id, one.prompt, "evaluation"), SOLVED, (dict(one.data),)) for one in problems
    )
    return CheckedBenchmark(TASK, f"the checker of {task.label}", items, MAX_TOKENS, check)
