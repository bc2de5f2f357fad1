"""Tasks of the suite nlp: lm-evaluation-harness's own definitions by name, of the paper's nine or of any other.

They are loaded before any checkpoint, so that a wrong name, a missing file or an unreachable Hub is reported at once.
Prompts, targets and metrics are lm-eval's, and are not implemented again here.
"""

import json
import logging
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, TextIO

from evals.suites.nlp.local_data import LocalData, local_task
from srlm.digest import digest_of_set
from srlm.errors import DataError, MissingData, SrlmError, UnknownName, UsageError
from srlm.optional_deps import require

PAPER_TASKS = (
    "arc_easy",
    "arc_challenge",
    "hellaswag",
    "social_iqa",
    "piqa",
    "gsm8k",
    "mmlu",
    "openbookqa",
    "nq_open",
)
"""Tables 3 and 9 of the paper (arXiv 2401.10020), by lm-eval's names."""

FOLDERS = ("arc", "gsm8k", "hellaswag", "mmlu/default", "nq_open", "openbookqa", "piqa", "siqa")
"""Folders with lm-eval's definitions of them. Indexing all of its 14,000 definitions takes many seconds."""

STDERR = 2
"""The file descriptor of standard error, which programs that lm-eval starts inherit."""

FEWSHOT_SEED = 1234
"""The seed of lm-eval's command for the choice of few-shot examples."""


@dataclass(frozen=True)
class Task:
    """A task or group of lm-eval: `loaded` is lm-eval's object, `parts` its tasks by name (itself, if no group).

    `shots` is the number of few-shot examples, `digest` a hash of prompts and targets.
    """

    name: str
    loaded: Any
    parts: Mapping[str, Any]
    version: str
    shots: int
    requests: int
    digest: str


@dataclass(frozen=True)
class Tasks:
    """The tasks of a command, the number of items of each (None: all), and lm-eval's index of them."""

    tasks: tuple[Task, ...]
    limit: int | None
    manager: Any

    @property
    def harness(self) -> str:
        """Return the library and its version."""
        return f"lm-eval {version('lm_eval')}"


def load_tasks(names: Sequence[str], folder: Path | None, limit: int | None) -> Tasks:
    """Load tasks by lm-eval's names with their data, from the Hub or from local files.

    Args:
        names: of tasks, groups or tags; a tag stands for its tasks.
        folder: with local files; the Hub, if None.
        limit: the number of items of each task; all, if None.

    Raises:
        MissingDependency: lm-eval is not installed.
        UnknownName: lm-eval has no such task.
        DataError, MissingData: the data of a task is damaged or missing.
        UsageError: a task runs code that a model wrote.
    """
    for library in ("lm_eval", "datasets"):
        require(library, "The suite nlp", "nlp")
    if folder is not None and not folder.is_dir():
        raise DataError(folder, "is no folder; the suite nlp reads one file a task from a folder.")
    with quiet():
        manager = _manager(names)
        local = LocalData(folder) if folder is not None else None
        tasks = tuple(_task(name, manager, local, limit) for name in _expanded(names, manager))
    return Tasks(tasks, limit, manager)


class Cuts(logging.Handler):
    """Counter of lm-eval's warnings that a prompt is longer than the model's context, and was cut on its left."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.count = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Count a warning, if it is one of these."""
        self.count += "truncat" in record.getMessage().lower()


@contextmanager
def quiet(*, bars: bool = False) -> Iterator[Cuts]:
    """Suppress all output of lm-eval, its libraries and the programs that it starts.

    With `bars` its progress bars are shown, if standard error is a terminal.
    """
    logger = logging.getLogger("lm_eval")
    level, propagate, cuts = logger.level, logger.propagate, Cuts()
    logger.setLevel(logging.WARNING)
    logger.propagate = False
    logger.addHandler(cuts)
    shown = bars and sys.stderr.isatty()
    sys.stderr.flush()
    before = os.dup(STDERR)
    other = _terminal() if shown else _nowhere()
    os.dup2(_nowhere().fileno(), STDERR)
    try:
        with redirect_stdout(_nowhere()), redirect_stderr(other):
            yield cuts
    finally:
        os.dup2(before, STDERR)
        os.close(before)
        logger.removeHandler(cuts)
        logger.setLevel(level)
        logger.propagate = propagate


@cache
def _nowhere() -> TextIO:
    """Open the null device; never closed, because a logger that a library sets up meanwhile keeps writing to it."""
    return Path(os.devnull).open("w")


@cache
def _terminal() -> TextIO:
    """Return standard error as it is at first use; never closed either."""
    return os.fdopen(os.dup(STDERR), "w")


def _manager(names: Sequence[str]) -> Any:
    """Return lm-eval's index: of the folders with the paper's tasks if that is enough, else of all tasks."""
    import lm_eval.tasks

    home = Path(str(lm_eval.tasks.__file__)).parent
    paper = lm_eval.tasks.TaskManager(include_defaults=False, include_path=[home / folder for folder in FOLDERS])
    if set(names) <= set(paper.all_tasks):
        return paper
    whole = lm_eval.tasks.TaskManager()
    for name in names:
        if name not in whole.task_index:
            raise UnknownName("lm-eval's task", name, [*PAPER_TASKS, *whole.all_tasks])
    return whole


def _expanded(names: Sequence[str], manager: Any) -> list[str]:
    """Replace tags by their tasks; each name once."""
    found: list[str] = []
    for name in names:
        found += sorted(manager.task_index[name].tags) if name in manager.all_tags else [name]
    return list(dict.fromkeys(found))


def _task(name: str, manager: Any, local: LocalData | None, limit: int | None) -> Task:
    try:
        found = manager.load([name if local is None else _on_local(local, manager, name)])
        parts = dict(found["tasks"])
        if any(getattr(part, "UNSAFE_CODE", False) for part in parts.values()):
            raise UsageError(f"{name} runs code that the model wrote, which srlm does not do; lm-eval's command can.")
        requests, digest = _requests(list(parts.values()), limit)
    except SrlmError:
        raise
    except Exception as error:  # the Hub client raises a dozen kinds, and templates meet rows that do not fit them
        raise _not_loaded(name, local, error) from None
    top = found["groups"].get(name) or parts[name]
    first = next(iter(parts.values()))
    number = getattr(top, "version", None) or first.VERSION
    return Task(name, top, parts, str(number), int(first.config.num_fewshot), requests, digest)


def _on_local(local: LocalData, manager: Any, name: str) -> Any:
    """Build a task or group, all of whose tasks have rows from local files."""
    from lm_eval.tasks._factory import TaskFactory

    index = manager.task_index
    return TaskFactory().build(index[name], overrides={"class": local_task(local)}, registry=index)


def _not_loaded(name: str, local: LocalData | None, error: Exception) -> SrlmError:
    what = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:120]}"
    if local is not None:
        return DataError(local.folder, f"the rows of {name} do not fit lm-eval's definition of it ({what}).")
    return MissingData(
        f"The data of {name} cannot be read from the Hub or its local cache ({what}). Check the network, or give a "
        "folder with local files by --data FOLDER (docs/suites/nlp.md says how they are named)."
    )


def _requests(tasks: Sequence[Any], limit: int | None) -> tuple[int, str]:
    """Return the number of requests, and a hash of all prompts and targets."""
    for task in tasks:
        task.set_fewshot_seed(FEWSHOT_SEED)
        if task.config.num_fewshot is None:
            task.set_config(key="num_fewshot", value=0)
        task.build_all_requests(limit=limit)
    count = sum(len(task.instances) for task in tasks)
    told = (
        [task.task_name, one.doc_id, one.idx, one.args, task.doc_to_target(one.doc)]
        for task in tasks
        for one in task.instances
    )
    return count, digest_of_set(count, (json.dumps(one, default=str, ensure_ascii=False) for one in told))
