"""Reader of another tool's result files, as a suite declares it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from srlm.errors import UsageError
from srlm.json_files import Row

C = TypeVar("C")
R = TypeVar("R")


@dataclass(frozen=True)
class ResultFile:
    """A file, and the name that its model is to get, if that is not the one in the file."""

    path: Path
    name: str | None = None


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
    """

    format: str
    patterns: tuple[str, ...]
    recognise: Callable[[Sequence[Row]], bool]
    read: Callable[[ResultFile, Sequence[Row]], C]
    models: Callable[[C], list[str]]
    convert: Callable[[Sequence[C]], Sequence[R]]


AnyImporter = Importer[Any, Any]


def refuse_twice(files: str, models: Sequence[str]) -> None:
    """Refuse two files of the same model.

    Raises:
        UsageError: a model is named twice.
    """
    twice = next((model for model in models if models.count(model) > 1), None)
    if twice is not None:
        raise UsageError(f"Two files are {files} of {twice}. Leave one out, or give it another name: NAME=FILE")
