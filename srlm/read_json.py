"""Strict parsing of untrusted JSON: an array, one value per line, or values over several lines.

Refused, with the line, are texts that Python's parser accepts or answers with its own errors: duplicate keys in an
object, lone surrogates, numbers of thousands of digits, and nesting that a later step could not process. NaN and
Infinity are parsed; callers refuse them where a number is required.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, Literal

from srlm.errors import DataError
from srlm.read_text import MOST_LINE, converted, is_gzip

Unit = Literal["line", "record"]

MOST_NESTED = 100
"""Maximum depth of arrays and objects."""

_BLANK = re.compile(r"\s*")
_TABLE = re.compile(r'"?\w[\w ./-]*"?([,;\t]"?\w[\w ./-]*"?)+\s*')


class _TwiceError(ValueError):
    """Duplicate key in an object."""


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        raise _TwiceError(next(key for number, key in enumerate(keys) if key in keys[:number]))
    return found


_DECODER = json.JSONDecoder(object_pairs_hook=_once_each)
_SCAN: Callable[[str, int], tuple[Any, int]] = getattr(_DECODER, "scan_once")  # noqa: B009  # typeshed lacks it


def json_values(path: Path, text: str) -> Iterator[tuple[Unit, int, Any]]:
    """Yield the records of a text with their positions, from 1: those of an array, or the values of lines.

    Raises:
        DataError: it is not JSON, or JSON that is refused; the message has the line.
    """
    begin = _start(text, 0)
    if text[begin : begin + 1] == "[":
        found, halves = json_value(path, text, halves=False), _may_have_halves(text)
        for number, one in enumerate(found, start=1):
            if halves and (name := _half(one)) is not None:
                raise DataError(path, f"record {number}: {_of_half(name)}")
            yield "record", number, one
        return
    first, halves = True, _may_have_halves(text)
    for number, line in enumerate(text.split("\n"), start=1):
        if not line or line.isspace():
            continue
        if first and line.lstrip()[:1] == "{" and _goes_on(line):
            yield from _over_lines(path, text)
            return
        first = False
        # Nearly all lines take this fast path, without a Python function around the parser.
        if (
            not halves
            and len(line) <= MOST_LINE
            and (len(line) < MOST_NESTED or line.count("[") + line.count("{") <= MOST_NESTED)
        ):
            try:
                found, end = _SCAN(line, 0)
            except (ValueError, RecursionError, StopIteration):
                end = -1
            if end == len(line):
                yield "line", number, found
                continue
        yield "line", number, json_value(path, line, number, halves)


def json_value(path: Path, text: str, line: int | None = None, halves: bool = True) -> Any:
    """Parse the single value of a text, which is `line` of its file if given. `halves`: check for lone surrogates.

    Raises:
        DataError: it is not JSON, or JSON that is refused; the message has the line.
    """
    if len(text) > MOST_LINE:
        raise DataError(path, f"one JSON value of more than {MOST_LINE >> 20} million characters.", line)
    try:
        found = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise DataError(path, not_json(path, text, error), line or error.lineno) from None
    except (RecursionError, ValueError) as error:
        raise DataError(path, _refused(error), line) from None
    _check(path, text, found, line, halves)
    return found


def not_json(path: Path, text: str, error: json.JSONDecodeError) -> str:
    """Return the message for text that is not JSON, with its format if it is recognised."""
    head = text.split("\n", 1)[0]
    kind = path.name.removesuffix(".gz").lower()
    if kind.endswith((".csv", ".tsv")) or (error.pos == 0 and _TABLE.fullmatch(head)):
        return f"is a table (CSV), not JSON. Turn it into JSON Lines with: {converted(path, 'read_csv')}"
    unpacked = " The file is named .gz, and is not gzip." if path.suffix == ".gz" and not is_gzip(path) else ""
    return f"not JSON ({error.msg}, column {error.colno}).{unpacked}"


def _goes_on(line: str) -> bool:
    """Return True if a line is only the beginning of a value."""
    try:
        _DECODER.decode(line)
    except json.JSONDecodeError as error:
        return error.pos >= len(line.rstrip())
    except (RecursionError, ValueError):
        return False
    return False


def _over_lines(path: Path, text: str) -> Iterator[tuple[Unit, int, Any]]:
    """Yield the values of indented JSON, one after the other."""
    if len(text) > MOST_LINE:
        raise DataError(path, f"JSON over several lines, of more than {MOST_LINE >> 20} million characters.")
    place = _start(text, 0)
    line = 1 + text.count("\n", 0, place)
    while place < len(text):
        try:
            found, end = _DECODER.raw_decode(text, place)
        except json.JSONDecodeError as error:
            if error.pos >= len(text.rstrip()):
                problem = "not JSON: the value that begins here is not closed. Is the file complete?"
                raise DataError(path, problem, line) from None
            raise DataError(path, not_json(path, text, error), error.lineno) from None
        except (RecursionError, ValueError) as error:
            raise DataError(path, _refused(error), line) from None
        _check(path, text[place:end], found, line)
        yield "line", line, found
        after = _start(text, end)
        line += text.count("\n", place, after)
        place = after


def _start(text: str, place: int) -> int:
    found = _BLANK.match(text, place)
    return found.end() if found else place


def _refused(error: Exception) -> str:
    if isinstance(error, _TwiceError):
        return f"the key {str(error)[:60]!r} is repeated in one object. Remove one of them."
    if isinstance(error, RecursionError):
        return f"JSON that cannot be read: it is nested more than {MOST_NESTED} deep."
    return "JSON that cannot be read: a number of thousands of digits."


def _may_have_halves(text: str) -> bool:
    return "\\u" in text and ("\\ud" in text or "\\uD" in text)


def _check(path: Path, text: str, found: Any, line: int | None, halves: bool = True) -> None:
    """Refuse values that would break a later step."""
    if len(text) > 2 * MOST_NESTED and text.count("[") + text.count("{") > MOST_NESTED and _deeper(found):
        raise DataError(path, _refused(RecursionError()), line)
    if halves and _may_have_halves(text) and (name := _half(found)) is not None:
        raise DataError(path, _of_half(name), line)


def _of_half(name: str) -> str:
    where = f"the field {name[:60]}" if name else "a text"
    return f"{where} contains half a character (a lone surrogate, such as \\ud83d)."


def _deeper(found: Any) -> bool:
    level = [found]
    for _ in range(MOST_NESTED + 1):
        level = list(chain.from_iterable(map(_inside, level)))
        if not level:
            return False
    return True


def _inside(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def _half(found: Any) -> str | None:
    """Return the field with a lone surrogate; None without one."""
    if _whole(found):
        return None
    if isinstance(found, list):
        return next(name for one in found if (name := _half(one)) is not None)
    if isinstance(found, dict):
        return next((name for name, value in found.items() if _whole(name) and not _whole(value)), "")
    return ""


def _whole(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True
