"""Tasks by the setting `rollouts.task`."""

from pathlib import Path

from srlm.arithmetic.task import ARITHMETIC
from srlm.config.rollouts import RolloutsConfig
from srlm.countdown.task import COUNTDOWN
from srlm.errors import UnknownName
from srlm.integration.task import INTEGRATION
from srlm.puzzle.task import PUZZLE
from srlm.tasks.arithmetic import ArithmeticTask
from srlm.tasks.countdown import CountdownTask
from srlm.tasks.integration import IntegrationTask
from srlm.tasks.puzzle import PuzzleTask
from srlm.tasks.task import Task
from srlm.tasks.task_file import FileTask

FILE = ".py"
"""Ending of a file with a task of the user's."""
NAMES = (PUZZLE, COUNTDOWN, INTEGRATION, ARITHMETIC)


def open_task(config: RolloutsConfig) -> Task:
    """Return the task of a configuration.

    Raises:
        UnknownName: there is no such task.
        MissingDependency: the task needs a library that is not installed.
        DataError, UsageError: the file of a task cannot be used; the message names everything that is wrong.
    """
    if config.task.endswith(FILE):
        return FileTask(Path(config.task).expanduser())
    match config.task:
        case "puzzle":
            return PuzzleTask()
        case "countdown":
            return CountdownTask(config.numbers, config.sizes)
        case "integration":
            return IntegrationTask()
        case "arithmetic":
            return ArithmeticTask()
    raise UnknownName("The task", config.task, [*NAMES, "a Python file"])
