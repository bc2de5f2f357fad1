"""Reader of another tool's result files, as a suite declares it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import nan
from pathlib import Path
from typing import Any, Generic, TypeVar

from evals.metric import Cell, Metric, Unit
from evals.settings import Settings
from srlm.errors import UsageError
from srlm.json_files import Row
from srlm.stats.intervals import Estimate

C = TypeVar("C")
R = TypeVar("R")


@dataclass(frozen=True)
class ResultFile:
    """A file, and the name that its model is to get, if that is not the one in the file."""

    path: Path
    name: str | None = None


@dataclass(frozen=True)
class FileSummary:
    """Counts of one model in a file that its result does not hold.

    Attributes:
        title: of the table that has a column for each model.
        rows: of that table, each with a cell of this model alone.
        captions: sentences below the table.
        data: the same for JSON, with the exact values.
    """

    suite: str
    model: str
    title: str
    rows: tuple[Metric, ...]
    captions: tuple[str, ...]
    data: dict[str, Any]


def _no_summaries(contents: Sequence[Any], results: Sequence[Any], settings: Settings) -> list[FileSummary]:
    return []


def _no_prompts(place: str) -> object | None:
    return None


@dataclass(frozen=True)
class Importer(Generic[C, R]):
    """Reader of the result files of another tool.

    Attributes:
        format: the tool and its file, for messages.
        patterns: where the tool leaves its files in a folder.
        recognise: True for the records of such a file.
        read: the content of one file; raises DataError where a record is wrong.
        models: the models in the content of a file.
        convert: the results in the contents of all files, which may belong together; raises UsageError where two are
            of the same model.
        summarize: the counts of each model that the results do not hold, from contents, results and settings.
        read_prompts: the setting at a place with the benchmark's prompts; None if they are another benchmark's.
    """

    format: str
    patterns: tuple[str, ...]
    recognise: Callable[[Sequence[Row]], bool]
    read: Callable[[ResultFile, Sequence[Row], Settings], C]
    models: Callable[[C], list[str]]
    convert: Callable[[Sequence[C], Settings], Sequence[R]]
    summarize: Callable[[Sequence[C], Sequence[R], Settings], list[FileSummary]] = _no_summaries
    read_prompts: Callable[[str], object | None] = _no_prompts


AnyImporter = Importer[Any, Any]


def summary_row(
    key: str, label: str, model: str, value: float, *, unit: Unit = "count", n: int = 0, level: int = 0
) -> Metric:
    """Return a row of a summary; a count is shown with its share of `n`, where that is not 0."""
    return Metric(key, label, unit, "neither", {model: Cell(Estimate(value, nan, nan, n, n))}, level=level)


def refuse_twice(files: str, models: Sequence[str]) -> None:
    """Refuse two files of the same model.

    Raises:
        UsageError: a model is named twice.
    """
    twice = next((model for model in models if models.count(model) > 1), None)
    if twice is not None:
        raise UsageError(f"Two files are {files} of {twice}. Leave one out, or give it another name: NAME=FILE")
