"""A ledger as JSON Lines and back, so that a judged evaluation can be replayed elsewhere, without a key or a server.

A line is one answered call under its ledger key; what asks the same question of the same model there finds the answer.
The key cannot be computed again from the line: what the model is, its identity, is in the key alone. It could only show
that a question was changed, not an answer, so a file is to be trusted as one trusts the run that it comes from.
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

MOST_TOKENS = 1 << 63
"""Whole numbers that SQLite can hold."""

_Measure = Annotated[float, Field(ge=0, allow_inf_nan=False)]
ROUNDING = 1e-6
"""By how much a sum of probabilities may be above 1."""


def _a_day(value: str) -> str:
    """A day that there is."""
    try:
        date.fromisoformat(value)
    except ValueError:
        raise ValueError("there is no such day") from None
    return value


_KEY, _DAY = re.compile("[0-9a-f]{64}"), re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")
_Day = Annotated[str, Field(pattern=f"^{_DAY.pattern}$"), AfterValidator(_a_day)]
_Name = Annotated[str, Field(min_length=1)]


@dataclass(frozen=True)
class ExportedCall:
    """One line of the file. `seconds`, `cost` (US dollars) and `day` (UTC) are null where nobody knows them."""

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
        """Refuse token counts, probabilities and ways of drawing that are none."""
        counts = (self.completion.prompt_tokens, self.completion.completion_tokens)
        if not all(0 <= count < MOST_TOKENS for count in counts):
            raise ValueError("token counts are whole numbers from 0 on")
        given = self.completion.probabilities
        masses = [*(given or ()), *([] if self.completion.mass is None else [self.completion.mass])]
        if not all(0 <= one <= 1 + ROUNDING for one in masses):  # of NaN, too, this holds not
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
    """A line before the calls: what a model refuses of requests. Without it, calls that were asked so are not found."""

    identity: _Name
    refused: tuple[_Name, ...]
    schema: Literal[1] = 1


_LINE, _SERVER = TypeAdapter(ExportedCall), TypeAdapter(ExportedServer)


def export_calls(ledger: Ledger, path: Path) -> int:
    """Write all calls, in the order of the ledger; the file appears when it is whole. Returns how many there are.

    Raises:
        DataError: the ledger is damaged. What could be read is in the file.
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
            f"is damaged. The {count:,} calls that can be read are in {path}; what stood at {lost:,} other places is "
            "lost. To go on with them, move the ledger away and take them into a new one with --import.",
        )
    return count


def _line(stage: str, model: str, call: Call) -> str | None:
    """A call as a line; None where it would not be taken in again, as its ledger is damaged."""
    try:
        line = ExportedCall(call.key, stage, model, call.request, call.completion, call.seconds, call.cost, call.day)
        return _LINE.dump_json(line, warnings=False).decode() + "\n" if _columns_hold(line) else None
    except (ValueError, TypeError, PydanticSerializationError):
        return None


def _columns_hold(line: ExportedCall) -> bool:
    """Whether the columns beside request and reply, which are looked at when they are read, hold what they should.

    SQLite keeps anything in any column. To validate whole lines would take half as long again as to write them.
    """
    measures = [one for one in (line.seconds, line.cost) if one is not None]
    return (
        all(isinstance(one, str) and one for one in (line.key, line.stage, line.model))
        and _KEY.fullmatch(line.key) is not None
        and all(isinstance(one, int | float) and 0 <= one < inf for one in measures)
        and (line.day is None or (_DAY.fullmatch(line.day) is not None and bool(_a_day(line.day))))
    )


def import_calls(ledger: Ledger, path: Path) -> tuple[int, int]:
    """Take the calls of a file into a ledger: (how many were new, how many the file has). What is there already stays.

    Raises:
        DataError: the file cannot be read, or a line is wrong; it is named, and nothing was taken in.
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
    """The lines of an exported file, plain or gzip, one at a time."""
    for number, line in lines_of(path):
        try:
            about_server = line.lstrip().startswith('{"identity"')
            yield (_SERVER if about_server else _LINE).validate_json(line, strict=True)
        except (ValidationError, OverflowError) as error:
            refuse_newer(_loosely(line), lambda problem, number=number: DataError(path, problem, number))  # type: ignore[misc]
            raise DataError(path, f"{explain(error)}. Nothing was imported.", number) from None


def _loosely(line: str) -> Any:
    """A line as JSON, where it is that, to see of which version it is."""
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None
