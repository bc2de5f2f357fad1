"""Export a ledger to JSON Lines and import it, to replay an evaluation without a key or a server.

A line is one answered call with its ledger key; the same request to the same model finds the answer there. The key
cannot be recomputed from the line, because the model's identity is only in the key. It would reveal a changed request
but not a changed answer, so a file must be trusted like the run that it comes from.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from math import inf
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError

from srlm.atomic_files import write_pieces
from srlm.errors import DataError
from srlm.jsonl import explain, refuse_newer
from srlm.ledger import Call, Ledger
from srlm.read_text import lines_of
from srlm.types import Completion, Request

MAX_TOKENS = 1 << 63
"""Limit of SQLite's integers."""

_Measure = Annotated[float, Field(ge=0, allow_inf_nan=False)]
ROUNDING = 1e-6
"""Tolerance by which a sum of probabilities may exceed 1."""


def _valid_day(value: str) -> str:
    """Validate a date."""
    try:
        date.fromisoformat(value)
    except ValueError:
        raise ValueError("there is no such day") from None
    return value


_KEY, _DAY = re.compile("[0-9a-f]{64}"), re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")
_Day = Annotated[str, Field(pattern=f"^{_DAY.pattern}$"), AfterValidator(_valid_day)]
_Name = Annotated[str, Field(min_length=1)]


@dataclass(frozen=True)
class ExportedCall:
    """One line of the file. `seconds`, `cost` (US dollars) and `day` (UTC) are null if unknown."""

    key: Annotated[str, Field(pattern=f"^{_KEY.pattern}$")]
    stage: _Name
    model: _Name
    request: Request
    completion: Completion
    seconds: _Measure | None
    cost: _Measure | None
    day: _Day | None = None
    schema: Literal[1] = 1

    def __post_init__(self) -> None:
        """Refuse invalid token counts, probabilities and sampling parameters."""
        counts = (self.completion.prompt_tokens, self.completion.completion_tokens)
        if not all(0 <= count < MAX_TOKENS for count in counts):
            raise ValueError("token counts are whole numbers from 0 on")
        given = self.completion.probabilities
        masses = [*(given or ()), *([] if self.completion.mass is None else [self.completion.mass])]
        if not all(0 <= one <= 1 + ROUNDING for one in masses):  # false for NaN too
            raise ValueError("probabilities are numbers from 0 to 1")
        if given is not None and sum(given) > 1 + ROUNDING:
            raise ValueError("the probabilities of all choices are more than 1 together")
        if given is not None and len(given) != len(self.request.choices):
            raise ValueError("there must be one probability for each of the choices")
        drawing = self.request.sampling
        if not (0 <= drawing.temperature < inf and 0 <= drawing.top_p <= 1):
            raise ValueError("a temperature is a number from 0 on, top_p one from 0 to 1")


@dataclass(frozen=True)
class ExportedServer:
    """A line before the calls: the fields that a server refuses. Calls without these fields are found only with it."""

    identity: _Name
    refused: tuple[_Name, ...]
    schema: Literal[1] = 1


_LINE, _SERVER = TypeAdapter(ExportedCall), TypeAdapter(ExportedServer)


def export_calls(ledger: Ledger, path: Path) -> int:
    """Write all calls in the order of the ledger; the file appears when it is complete. Return their number.

    Raises:
        DataError: the ledger is damaged. The file has the calls that could be read.
    """
    count = lost = 0

    def lines() -> Iterator[str]:
        nonlocal count, lost
        for identity, refused in ledger.servers():
            yield _SERVER.dump_json(ExportedServer(identity, refused)).decode() + "\n"
        for found in ledger.readable_calls():
            line = found and _line(*found)
            if line:
                count += 1
                yield line
            else:
                lost += 1
        if lost and not count:
            raise DataError(ledger.path, "is damaged: no call in it can be read. Nothing was written.")

    write_pieces(path, lines())
    if lost:
        raise DataError(
            ledger.path,
            f"is damaged. The {count:,} calls that can be read are in {path}; those at {lost:,} other places are lost. "
            "To continue with them, move the ledger away and import them into a new one with --import.",
        )
    return count


def _line(stage: str, model: str, call: Call) -> str | None:
    """Serialise a call; None for a call of a damaged ledger that could not be imported again."""
    try:
        line = ExportedCall(call.key, stage, model, call.request, call.completion, call.seconds, call.cost, call.day)
        return _LINE.dump_json(line, warnings=False).decode() + "\n" if _valid_columns(line) else None
    except (ValueError, TypeError, PydanticSerializationError):
        return None


def _valid_columns(line: ExportedCall) -> bool:
    """Return whether the columns other than request and reply, which are validated when read, have valid values.

    SQLite stores anything in any column. Validating whole lines would take half as long again as writing them.
    """
    measures = [one for one in (line.seconds, line.cost) if one is not None]
    return (
        all(isinstance(one, str) and one for one in (line.key, line.stage, line.model))
        and _KEY.fullmatch(line.key) is not None
        and all(isinstance(one, int | float) and 0 <= one < inf for one in measures)
        and (line.day is None or (_DAY.fullmatch(line.day) is not None and bool(_valid_day(line.day))))
    )


def import_calls(ledger: Ledger, path: Path) -> tuple[int, int]:
    """Import the calls of a file: (number of new calls, number of calls in the file). Stored answers stay.

    Raises:
        DataError: the file cannot be read, or a line is invalid; nothing was imported.
    """
    count = 0
    servers: list[ExportedServer] = []

    def calls() -> Iterator[tuple[str, str, Call]]:
        nonlocal count
        for line in _read(path):
            if isinstance(line, ExportedServer):
                servers.append(line)
                continue
            count += 1
            yield (
                line.stage,
                line.model,
                Call(line.key, line.request, line.completion, line.seconds, line.cost, line.day),
            )

    new = ledger.import_calls(calls())
    for server in servers:
        ledger.keep_refused(server.identity, server.refused)
    return new, count


def _read(path: Path) -> Iterator[ExportedCall | ExportedServer]:
    """Yield the lines of an exported file, plain or gzip."""
    for number, line in lines_of(path):
        try:
            about_server = line.lstrip().startswith('{"identity"')
            yield (_SERVER if about_server else _LINE).validate_json(line, strict=True)
        except (ValidationError, OverflowError) as error:
            refuse_newer(_parse_loosely(line), lambda problem, number=number: DataError(path, problem, number))  # type: ignore[misc]
            raise DataError(path, f"{explain(error)}. Nothing was imported.", number) from None


def _parse_loosely(line: str) -> Any:
    """Parse a line as JSON to see its version; None if it is not JSON."""
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None
