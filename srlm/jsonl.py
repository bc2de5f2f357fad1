"""Records in JSON Lines: validated when read, written atomically (`srlm.atomic_files`).

A file exists only if it is complete, so a stage is complete if its file exists. Errors have the file and the line of
the first wrong record.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict
from math import isnan, nan
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from srlm.atomic_files import write_pieces, write_text
from srlm.errors import DataError
from srlm.json_files import Row, read_values
from srlm.read_json import json_value
from srlm.read_text import read_text
from srlm.types import SCHEMA

T = TypeVar("T")


def explain(error: ValidationError | OverflowError) -> str:
    """Describe a validation error in one line, without the value itself."""
    if isinstance(error, OverflowError):
        return "a number is too large"
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part)[:60] for part in first["loc"]) or "record"
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return f"{where}: {first['msg'].removeprefix('Value error, ')}{more}"


def parse_lines(path: Path, record: type[T]) -> list[T]:
    """Read a JSON Lines file of one kind of record.

    Raises:
        DataError: the file is missing, not text, of a newer version, or a line is not such a record.
    """
    adapter = TypeAdapter(record)
    records: list[T] = []
    for unit, number, data in read_values(path):
        if isinstance(data, dict) and data.get("schema", SCHEMA) != SCHEMA:
            refuse_newer(data, Row(path, unit, number, data).error)
        try:
            records.append(adapter.validate_python(data, strict=False))
        except (ValidationError, OverflowError) as error:
            row = Row(path, unit, number, data if isinstance(data, dict) else {})
            raise row.error_with_hint(f"{explain(error)}.") from None
    return records


def refuse_newer(data: Any, error: Callable[[str], DataError]) -> None:
    """Refuse data of a later version of srlm, because their meaning may have changed.

    Raises:
        DataError: made by `error` from the message.
    """
    schema = data.get("schema") if isinstance(data, dict) else None
    if isinstance(schema, int) and schema > SCHEMA:
        raise error(
            f"was written by a newer version of srlm (schema {str(schema)[:20]}; this one reads up to {SCHEMA}). "
            "Install that version to read it."
        )


def read_records(path: Path, record: type[T]) -> list[T]:
    """Read like `parse_lines`, for a user's file: an empty one is an error too."""
    records = parse_lines(path, record)
    if not records:
        raise DataError(path, "is empty: one JSON object a line is expected.")
    return records


def to_json(record: Any) -> dict[str, Any]:
    """Convert a record to plain JSON data; a dictionary stays as it is. None stays, as null: a missing reward."""
    return record if isinstance(record, dict) else asdict(record)


def write_records(path: Path, records: Iterable[Any]) -> None:
    """Write records as JSON Lines, atomically. Equal records give equal bytes."""
    # As `to_json`, which copies every value and takes five times as long.
    write_pieces(path, (json.dumps(record, ensure_ascii=False, default=vars) + "\n" for record in records))


def write_json(path: Path, data: Any) -> None:
    """Write indented JSON, atomically."""
    write_text(path, json.dumps(data, ensure_ascii=False, indent=2) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        DataError: it is missing, not JSON, or of a newer version.
    """
    data = json_value(path, read_text(path))
    refuse_newer(data, lambda problem: DataError(path, problem))
    return data


def without_nan(data: Any) -> Any:
    """Replace NaN by null in JSON data: JSON has no NaN."""
    if isinstance(data, dict):
        return {key: without_nan(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [without_nan(value) for value in data]
    return None if isinstance(data, float) and isnan(data) else data


def with_nan(data: Any) -> Any:
    """Replace null by NaN in the estimates of JSON data: the inverse of `without_nan`."""
    if isinstance(data, dict):
        estimate = data.keys() == {"value", "low", "high", "n", "clusters"}
        return {key: nan if estimate and value is None else with_nan(value) for key, value in data.items()}
    return [with_nan(value) for value in data] if isinstance(data, list) else data


def by_id(records: Iterable[T]) -> dict[str, T]:
    """Index records by their id."""
    return {record.id: record for record in records}  # type: ignore[attr-defined]
