"""The records of a file that another tool wrote: a JSON array or JSON Lines, plain or gzip, each with its place.

What a record must hold is said by whoever reads it; this file finds the records, and words what is wrong with one so
that a person finds it in the file again.
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
    """A record, and where it stands: the line of JSON Lines, or the place in a JSON array, from 1."""

    path: Path
    unit: Unit
    number: int
    data: dict[str, Any]

    def wrong(self, problem: str) -> DataError:
        """The error that names this record."""
        if self.unit == "line":
            return DataError(self.path, problem, self.number)
        return DataError(self.path, f"record {self.number}: {problem}")

    def unlike(self, problem: str) -> DataError:
        """The same, with what the record looks like, where that is known."""
        return self.wrong(f"{problem}{looks_like(self.data, self.path)}")

    def text(self, *names: str) -> str:
        """The text of the first of these fields that is there.

        Raises:
            DataError: none of them is there, or it holds no text.
        """
        name = next((name for name in names if name in self.data), None)
        if name is None:
            has = ", ".join(str(one)[:40] for one in sorted(self.data)[:8]) or "no field at all"
            raise self.unlike(f"the field {' or '.join(names)} is missing; it has {has}.")
        value = self.data[name]
        if not isinstance(value, str):
            raise self.unlike(f"the field {name} must be text, not {kind_of(value)}.")
        return value

    def identifier(self, *names: str) -> str:
        """What a record is called by the first of these fields that is there: a text, or a whole number as one.

        Raises:
            DataError: none of them is there, or it holds something else.
        """
        value = next((self.data[name] for name in names if name in self.data), "")
        if isinstance(value, int) and not isinstance(value, bool):
            try:
                return str(value)
            except ValueError:
                raise self.wrong("an id of thousands of digits.") from None
        return self.text(*names)


class UniqueKeys:
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


def read_values(path: Path) -> Iterator[tuple[Unit, int, Any]]:
    """All values of a file with their places, whatever they are.

    Raises:
        DataError: the file is missing, no text, or not JSON.
    """
    return json_values(path, read_text(path))


def read_rows(path: Path) -> list[Row]:
    """All records of a file.

    Raises:
        DataError: the file is missing, no text, not JSON, empty, or a record is no JSON object.
    """
    rows = [_row(path, unit, number, data) for unit, number, data in read_values(path)]
    if not rows:
        raise DataError(path, "holds no record: a JSON array, or one JSON object a line, is expected.")
    return rows


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


def _row(path: Path, unit: Unit, number: int, data: Any) -> Row:
    if not isinstance(data, dict):
        raise Row(path, unit, number, {}).wrong(f"a JSON object is expected, not {kind_of(data)}.")
    return Row(path, unit, number, data)


def kind_of(value: Any) -> str:
    """What a value of JSON is, in words."""
    kinds: dict[type, str] = {list: "a list", dict: "an object", bool: "true or false", type(None): "null", str: "text"}
    return kinds.get(type(value), "a number")
