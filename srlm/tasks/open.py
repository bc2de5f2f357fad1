"""Tasks by the setting `rollouts.task`."""

from srlm.config.rollouts import RolloutsConfig
from srlm.errors import UnknownName
from srlm.puzzle.task import PUZZLE
from srlm.tasks.puzzle import PuzzleTask
from srlm.tasks.task import Task


def open_task(config: RolloutsConfig) -> Task:
    """Return the task of a configuration.

    Raises:
        UnknownName: there is no such task.
    """
    if config.task == PUZZLE:
        return PuzzleTask()
    raise UnknownName("The task", config.task, [PUZZLE])
