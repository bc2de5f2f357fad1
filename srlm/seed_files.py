"""Seed data in a user's files: demonstrations for IFT and ranked answers for EFT, in the usual forms.

    demonstration     instruction or prompt, response, output or completion: srlm's own, Alpaca's (with `input`), TRL's;
                      text or messages. Or a conversation that ends with the assistant's turn, as `messages` (OpenAI)
                      or `conversations` (ShareGPT)
    ranked answers    srlm's own, and pairs of chosen and rejected answers: srlm/ranked_records.py

A record is recognised by its fields. A folder has a file of each kind; a file may have one kind or both. Pairs whose
two answers are the same text are left out and counted.

If ranked answers have no split, or all are for training, a quarter goes to validation: srlm's own by their id, pairs by
their prompt, so that all pairs of a prompt are on one side. If all are for validation, they stay there.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from srlm.conversations import ANSWERS, CONTEXT_FIELDS, CONVERSATIONS, QUESTIONS, SYSTEM, asked_and_answered
from srlm.data_tables import SUFFIXES, file_rows, table_rows
from srlm.digest import digest_of
from srlm.errors import DataError
from srlm.json_files import Row, UniqueKeys
from srlm.jsonl import explain, refuse_newer
from srlm.open_assistant import split_of
from srlm.ranked_records import RANKED_FIELDS, has_ranking, ranked_prompt
from srlm.types import Demonstration, RankedPrompt

T = TypeVar("T", Demonstration, RankedPrompt)
_DEMONSTRATION = TypeAdapter(Demonstration)
_OTHERS = ("id", "kind", "schema")
_COLUMNS = frozenset({*QUESTIONS, *ANSWERS, *CONVERSATIONS, *CONTEXT_FIELDS, *RANKED_FIELDS, *_OTHERS})


@dataclass(frozen=True)
class SeedRecords:
    """The records of a file or a folder. `equal_pairs` counts the pairs that were left out."""

    demonstrations: tuple[Demonstration, ...]
    ranked: tuple[RankedPrompt, ...]
    equal_pairs: int = 0


def read_seed_records(source: str) -> SeedRecords:
    """Read a file, or a data set on the Hub (hf:OWNER/NAME[:SPLIT]), with records of one kind or both.

    Raises:
        DataError: it cannot be read, is empty, or a record is of neither kind; the message has its position.
    """
    return _of_both_kinds(_rows(Path(source).expanduser(), table_rows(source, _COLUMNS)))


def read_seed_folder(folder: Path) -> SeedRecords:
    """Read a folder with ift.jsonl and eft.jsonl, or the same in another format.

    Raises:
        DataError: one is missing, empty or malformed; the message has the line.
    """
    ift, eft = (_file_of(folder, name) for name in ("ift", "eft"))
    return _records(_rows(ift, file_rows(ift, _COLUMNS)), _rows(eft, file_rows(eft, _COLUMNS)))


def _file_of(folder: Path, name: str) -> Path:
    """Return the file of a part in one of the formats.

    Raises:
        DataError: there is none.
    """
    for suffix in SUFFIXES:
        if (path := folder / f"{name}{suffix}").is_file():
            return path
    raise DataError(
        folder / f"{name}.jsonl",
        "there is no such file. A folder of seeds has ift.jsonl (demonstrations) and eft.jsonl (ranked answers); a "
        "file with one of them is given by its own path, as seeds.source or seeds.eft_source.",
    )


def _rows(place: Path, given: Iterable[Row]) -> list[Row]:
    rows = list(given)
    if not rows:
        raise DataError(place, "is empty: one demonstration, or one prompt with ranked answers, a record is expected.")
    for row in rows:
        refuse_newer(row.data, row.error)
    return rows


def _of_both_kinds(rows: Iterable[Row]) -> SeedRecords:
    sides: tuple[list[Row], list[Row]] = [], []
    for row in rows:
        if not has_ranking(row) and not {*ANSWERS, *CONVERSATIONS} & row.data.keys():
            raise _of_neither_kind(row)
        sides[has_ranking(row)].append(row)
    return _records(*sides)


def _records(demonstrations: Iterable[Row], ranked: Iterable[Row]) -> SeedRecords:
    ift = [one for _, one in _unique(demonstrations, _demonstration)]
    eft = _unique(ranked, lambda row: ranked_prompt(row, _identifier(row, "eft")))
    kept = [(row, one) for row, one in eft if "answers" in row.data or one.answers[0].text != one.answers[1].text]
    return SeedRecords(tuple(ift), tuple(_with_splits(kept)), len(eft) - len(kept))


def _unique(rows: Iterable[Row], convert: Callable[[Row], T]) -> list[tuple[Row, T]]:
    """Convert records whose ids must differ."""
    once = UniqueKeys()
    found: list[tuple[Row, T]] = []
    for row in rows:
        one = convert(row)
        once.add(row, one.id, f"the id {one.id!r:.60}")
        found.append((row, one))
    return found


def _identifier(row: Row, part: str) -> str:
    """Return the id of a record as text; a missing one is made from its position."""
    return row.identifier("id") if row.data.get("id") is not None else f"{part}-{row.number:04d}"


def _demonstration(row: Row) -> Demonstration:
    fields: dict[str, Any] = {**row.data, "id": _identifier(row, "ift")}
    own = {"instruction", "response"} <= row.data.keys() and not {"input", *SYSTEM, "history"} & row.data.keys()
    if not own or isinstance(row.data.get("context"), str):
        question, response = asked_and_answered(row)
        fields |= {"instruction": question.instruction, "context": question.context, "response": response}
    try:
        return _DEMONSTRATION.validate_python(fields)
    except (ValidationError, OverflowError) as error:
        raise row.error_with_hint(f"{explain(error)}.") from None


def _with_splits(found: list[tuple[Row, RankedPrompt]]) -> list[RankedPrompt]:
    prompts = [prompt for _, prompt in found]
    given = {row.data.get("split") for row, _ in found}
    if len({prompt.split for prompt in prompts}) > 1 or given == {"validation"}:
        return prompts
    return [replace(prompt, split=split_of(_split_key(row, prompt))) for row, prompt in found]


def _split_key(row: Row, prompt: RankedPrompt) -> str:
    """Return the text from which the split of a prompt is derived."""
    if "answers" in row.data:
        return prompt.id
    return digest_of("\x1f".join([*(f"{one.role} {one.content}" for one in prompt.context), prompt.instruction]))


def _of_neither_kind(row: Row) -> DataError:
    alone = " Prompts without answers are no seeds: give them as instructions.source." if _is_prompt(row) else ""
    return row.error_with_hint(
        "is neither a demonstration (a prompt with its answer, such as instruction and output, prompt and completion, "
        "or messages) nor ranked answers (prompt, chosen and rejected; or instruction and answers); it has "
        f"{row.field_names}.{alone}"
    )


def _is_prompt(row: Row) -> bool:
    return bool({*QUESTIONS} & row.data.keys()) and not {"completions", "generations", "label"} & row.data.keys()
