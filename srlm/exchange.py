"""A ledger as JSON Lines and back, so that a judged evaluation can be replayed elsewhere, without a key or a server.

A line is one answered call under its ledger key; what asks the same question of the same model there finds the answer.
The key cannot be computed again from the line: what the model is, its identity, is in the key alone. It could only show
that a question was changed, not an answer, so a file is to be trusted as one trusts the run that it comes from.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError

from srlm.errors import DataError
from srlm.ledger import Call, Ledger
from srlm.records import explain
from srlm.types import Completion, Request
from srlm.writing import write_pieces

MOST_TOKENS = 1 << 63
"""Whole numbers that SQLite can hold."""

_Measure = Annotated[float, Field(ge=0, allow_inf_nan=False)]
_Day = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]
_Name = Annotated[str, Field(min_length=1)]


@dataclass(frozen=True)
class ExportedCall:
    """One line of the file. `seconds`, `cost` (US dollars) and `day` (UTC) are null where nobody knows them."""

    key: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    stage: _Name
    model: _Name
    request: Request
    completion: Completion
    seconds: _Measure | None
    cost: _Measure | None
    day: _Day | None = None
    schema: Literal[1] = 1

    def __post_init__(self) -> None:
        """Refuse token counts that are none."""
        counts = (self.completion.prompt_tokens, self.completion.completion_tokens)
        if not all(0 <= count < MOST_TOKENS for count in counts):
            raise ValueError("token counts are whole numbers from 0 on")


_LINE = TypeAdapter(ExportedCall)


def export_calls(ledger: Ledger, path: Path) -> int:
    """Write all calls, in the order of the ledger; the file appears when it is whole. Returns how many there are.

    Raises:
        DataError: the ledger is damaged. What could be read is in the file.
    """
    count = lost = 0

    def lines() -> Iterator[str]:
        nonlocal count, lost
        for found in ledger.saved():
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
        written = _LINE.dump_json(line, warnings=False)
        _LINE.validate_json(written, strict=True)
    except (ValueError, TypeError, PydanticSerializationError):
        return None
    return written.decode() + "\n"


def import_calls(ledger: Ledger, path: Path) -> tuple[int, int]:
    """Take the calls of a file into a ledger: (how many were new, how many the file has). What is there already stays.

    Raises:
        DataError: the file cannot be read, or a line is wrong; it is named, and nothing was taken in.
    """
    count = 0

    def calls() -> Iterator[tuple[str, str, Call]]:
        nonlocal count
        for line in _read(path):
            count += 1
            yield (
                line.stage,
                line.model,
                Call(line.key, line.request, line.completion, line.seconds, line.cost, line.day),
            )

    return ledger.adopt(calls()), count


def _read(path: Path) -> Iterator[ExportedCall]:
    """The lines of an exported file, one at a time."""
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if not line.strip():
                    continue
                try:
                    yield _LINE.validate_json(line, strict=True)
                except ValidationError as error:
                    raise DataError(path, f"{explain(error)}. Nothing was imported.", number) from None
    except FileNotFoundError:
        raise DataError(path, "there is no such file.") from None
    except OSError as error:
        raise DataError(path, f"cannot be read ({error.strerror}).") from None
