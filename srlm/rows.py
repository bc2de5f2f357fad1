"""The records of a file that another tool wrote: a JSON array or JSON Lines, plain or gzip, each with its place.

What a record must hold is said by whoever reads it; this file finds the records, and words what is wrong with one so
that a person finds it in the file again.
"""

import gzip
import json
import zlib
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from srlm.errors import DataError, SrlmError

T = TypeVar("T")

SUFFIXES = (".json", ".jsonl", ".json.gz", ".jsonl.gz")


@dataclass(frozen=True)
class Row:
    """A record, and where it stands: the line of JSON Lines, or the place in a JSON array, from 1."""

    path: Path
    unit: Literal["line", "record"]
    number: int
    data: dict[str, Any]

    def wrong(self, problem: str) -> DataError:
        """The error that names this record."""
        if self.unit == "line":
            return DataError(self.path, problem, self.number)
        return DataError(self.path, f"record {self.number}: {problem}")

    def text(self, *names: str) -> str:
        """The text of the first of these fields that is there.

        Raises:
            DataError: none of them is there, or it holds no text.
        """
        name = next((name for name in names if name in self.data), None)
        if name is None:
            has = ", ".join(sorted(self.data)[:8]) or "no field at all"
            raise self.wrong(f"the field {' or '.join(names)} is missing; it has {has}.")
        value = self.data[name]
        if not isinstance(value, str):
            raise self.wrong(f"the field {name} must be text, not {_kind(value)}.")
        try:
            value.encode()
        except UnicodeEncodeError:
            raise self.wrong(f"the field {name} holds half a character (a lone surrogate).") from None
        return value


class Once:
    """What the records of a file may hold once only."""

    def __init__(self) -> None:
        self._first: dict[Hashable, Row] = {}

    def add(self, record: Row, key: Hashable, what: str) -> None:
        """Remember the key of a record; `what` it stands for is said of a second one.

        Raises:
            DataError: an earlier record has the same key; both are named.
        """
        first = self._first.setdefault(key, record)
        if first is not record:
            raise record.wrong(f"has {what} of {first.unit} {first.number} again.")


def read_rows(path: Path) -> list[Row]:
    """All records of a file.

    Raises:
        DataError: the file is missing, not UTF-8, not JSON, empty, or a record is no JSON object.
    """
    text = read_text(path)
    if text.lstrip().startswith("["):
        records: Sequence[tuple[int, Any]] = list(enumerate(_parse(path, text), start=1))
        unit: Literal["line", "record"] = "record"
    else:
        lines = enumerate(text.split("\n"), start=1)
        records = [(number, _parse(path, line, number)) for number, line in lines if line.strip()]
        unit = "line"
    if not records:
        raise DataError(path, "holds no record: a JSON array, or one JSON object a line, is expected.")
    return [_row(path, unit, number, data) for number, data in records]


def read_or_fetch(place: str, read: Callable[[Path], T], fetch: Callable[[], T], advice: str) -> T:
    """What a file holds; or what the Hub gives, where the place is no file and is not called like one.

    Raises:
        DataError: there is neither, with the advice; or what `read` and `fetch` raise.
    """
    path = Path(place).expanduser()
    if path.exists() or path.suffix in {".json", ".jsonl", ".gz"}:
        return read(path)
    try:
        return fetch()
    except SrlmError:
        raise
    except Exception as error:  # the Hub client raises a dozen kinds, all meaning that the data is not here
        problem = f"is no local file, and the Hub does not give it ({type(error).__name__}). {advice}"
        raise DataError(path, problem) from None


def _row(path: Path, unit: Literal["line", "record"], number: int, data: Any) -> Row:
    if not isinstance(data, dict):
        raise Row(path, unit, number, {}).wrong(f"a JSON object is expected, not {_kind(data)}.")
    return Row(path, unit, number, data)


def read_text(path: Path) -> str:
    """The whole of a text file, plain or gzip.

    Raises:
        DataError: the file is missing, a folder, cut short, or not UTF-8.
    """
    try:
        packed = path.read_bytes()
        return (gzip.decompress(packed) if path.suffix == ".gz" else packed).decode("utf-8-sig")
    except FileNotFoundError:
        raise DataError(path, "there is no such file.") from None
    except IsADirectoryError:
        raise DataError(path, "is a folder; a file is expected.") from None
    except EOFError:
        raise DataError(path, "ends in the middle: the gzip file is cut short.") from None
    except (OSError, zlib.error) as error:
        raise DataError(path, f"cannot be read ({type(error).__name__}).") from None
    except UnicodeDecodeError:
        raise DataError(path, "is not UTF-8 text.") from None


def _parse(path: Path, text: str, line: int | None = None) -> Any:
    """JSON, or an error with its line: `line` for one line out of many."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(path, f"not JSON ({error.msg}, column {error.colno}).", line or error.lineno) from None
    except (RecursionError, ValueError) as error:  # nested too deep, or a number of thousands of digits
        raise DataError(path, f"JSON that cannot be read ({type(error).__name__}).", line) from None


def _kind(value: Any) -> str:
    kinds: dict[type, str] = {list: "a list", dict: "an object", bool: "true or false", type(None): "null", str: "text"}
    return kinds.get(type(value), "a number")
