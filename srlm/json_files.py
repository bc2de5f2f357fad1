"""Records of JSON files from other tools: a JSON array or JSON Lines, plain or gzip, each with its position.

Callers define the fields of a record. This module finds the records, and makes error messages with their positions.
"""

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from srlm.errors import DataError, SrlmError
from srlm.read_json import Unit, json_values
from srlm.read_text import read_text
from srlm.record_formats import looks_like

T = TypeVar("T")

SUFFIXES = (".json", ".jsonl", ".json.gz", ".jsonl.gz")


@dataclass(frozen=True)
class Row:
    """A record with its position, from 1: the line of JSON Lines, or the index in a JSON array."""

    path: Path
    unit: Unit
    number: int
    data: dict[str, Any]

    def error(self, problem: str) -> DataError:
        """Return an error with the position of this record."""
        if self.unit == "line":
            return DataError(self.path, problem, self.number)
        return DataError(self.path, f"record {self.number}: {problem}")

    def error_with_hint(self, problem: str) -> DataError:
        """Return an error with the position and, if it is recognised, the format of the record."""
        return self.error(f"{problem}{looks_like(self.data, self.path)}")

    @property
    def field_names(self) -> str:
        """The names of the fields for an error message: the first eight in alphabetical order."""
        return ", ".join(str(one)[:40] for one in sorted(self.data)[:8]) or "no field at all"

    def text(self, *names: str) -> str:
        """Return the text of the first of these fields that exists.

        Raises:
            DataError: none of them exists, or it is not text.
        """
        name = next((name for name in names if name in self.data), None)
        if name is None:
            raise self.error_with_hint(f"the field {' or '.join(names)} is missing; it has {self.field_names}.")
        value = self.data[name]
        if not isinstance(value, str):
            raise self.error_with_hint(f"the field {name} must be text, not {kind_of(value)}.")
        return value

    def identifier(self, *names: str) -> str:
        """Return the id of a record from the first of these fields that exists: text, or an integer as text.

        Raises:
            DataError: none of them exists, or it is neither.
        """
        value = next((self.data[name] for name in names if name in self.data), "")
        if isinstance(value, int) and not isinstance(value, bool):
            try:
                return str(value)
            except ValueError:
                raise self.error("the id has thousands of digits.") from None
        return self.text(*names)


class UniqueKeys:
    """Keys that must be unique in a file, such as ids."""

    def __init__(self) -> None:
        self._first: dict[Hashable, Row] = {}

    def add(self, record: Row, key: Hashable, what: str) -> None:
        """Add the key of a record; `what` describes it in the message.

        Raises:
            DataError: an earlier record has the same key; the message has both positions.
        """
        first = self._first.setdefault(key, record)
        if first is not record:
            raise record.error(f"has {what} of {first.unit} {first.number} again.")


def read_values(path: Path) -> Iterator[tuple[Unit, int, Any]]:
    """Read all JSON values of a file with their positions.

    Raises:
        DataError: the file is missing, no text, or not JSON.
    """
    return json_values(path, read_text(path))


def read_rows(path: Path) -> list[Row]:
    """Read all records of a file.

    Raises:
        DataError: the file is missing, no text, not JSON, empty, or a record is no JSON object.
    """
    rows = [_row(path, unit, number, data) for unit, number, data in read_values(path)]
    if not rows:
        raise DataError(path, "holds no record: a JSON array, or one JSON object a line, is expected.")
    return rows


def read_or_fetch(place: str, read: Callable[[Path], T], fetch: Callable[[], T], advice: str) -> T:
    """Read a file, or fetch data from the Hub if the place is neither a file nor has a file's suffix.

    Raises:
        DataError: there is neither, with the advice; or the error of `read` or `fetch`.
    """
    path = Path(place).expanduser()
    if path.exists() or path.suffix in {".json", ".jsonl", ".gz"}:
        return read(path)
    try:
        return fetch()
    except SrlmError:
        raise
    except Exception as error:  # the Hub client has a dozen exceptions, all meaning that the data are not available
        problem = f"is not a local file, and cannot be loaded from the Hub ({type(error).__name__}). {advice}"
        raise DataError(path, problem) from None


def _row(path: Path, unit: Unit, number: int, data: Any) -> Row:
    if not isinstance(data, dict):
        raise Row(path, unit, number, {}).error(f"a JSON object is expected, not {kind_of(data)}.")
    return Row(path, unit, number, data)


def kind_of(value: Any) -> str:
    """Return the type of a JSON value in words."""
    kinds: dict[type, str] = {list: "a list", dict: "an object", bool: "true or false", type(None): "null", str: "text"}
    return kinds.get(type(value), "a number")
