"""Seed data and evaluation instructions by name: embedded in the package, a user's folder, or Open Assistant.

    embedded              those written for srlm (docs/reference/data.md)
    FOLDER                ift.jsonl (id, instruction, response) and eft.jsonl (id, instruction, answers: [text, rank,
                          optionally score and rationale], split); also .json, and .gz
    oasst:FILE_OR_FOLDER  Open Assistant messages or trees as published, or a folder with instructions, ranked_train and
                          ranked_validation as .jsonl or .jsonl.gz (srlm/open_assistant.py)
    oasst:OWNER/NAME      a data set of the same format on the Hub
    puzzle:SEED           made by the checker of the puzzle task (docs/explain/puzzle.md); "puzzle" alone: seed 0
    sentences:SEED        made by the checker of the sentence task (docs/explain/sentences.md), in the same way

IFT uses first user turns with the reply that people ranked best (arXiv 2401.10020, section 3.1.1); EFT uses other first
turns with several ranked replies. If prompts have no split, or all are for training, a quarter of them, by id, goes to
validation; if all are for validation, they stay there.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from srlm.conversations import CONVERSATIONS, asked_and_answered
from srlm.errors import DataError, UnknownName
from srlm.json_files import Row, UniqueKeys, read_values
from srlm.jsonl import explain, read_records, refuse_newer
from srlm.open_assistant import read_open_assistant, split_of
from srlm.puzzle.seed_data import demonstrations, ranked
from srlm.puzzle.task import puzzle_seed
from srlm.seeding import seed_in_name
from srlm.sentences import seed_data as sentences
from srlm.sentences.task import SENTENCES
from srlm.types import Demonstration, Prompt, RankedPrompt

T = TypeVar("T")
EMBEDDED = "embedded"
_FORMS = (".jsonl", ".jsonl.gz", ".json", ".json.gz")


@dataclass(frozen=True)
class Seeds:
    """Human data: demonstrations for IFT, ranked answers for EFT, and ranked answers held out from training."""

    ift: tuple[Demonstration, ...]
    eft: tuple[RankedPrompt, ...]
    validation: tuple[RankedPrompt, ...]


def evaluation_set() -> list[Prompt]:
    """Return the embedded evaluation instructions, with labels and references; disjoint from the embedded seeds."""
    with as_file(files("srlm.data") / "eval.jsonl") as path:
        return read_records(path, Prompt)


def load_seeds(source: str) -> Seeds:
    """Load seed data by name.

    Raises:
        UnknownName: no such source.
        DataError: a file is missing, empty or malformed; the message has the line.
    """
    if source == EMBEDDED:
        with as_file(files("srlm.data")) as folder:
            return _from_folder(folder)
    if source.startswith("oasst:"):
        return _divide(*read_open_assistant(source.removeprefix("oasst:")))
    if (seed := puzzle_seed(source)) is not None:
        return _divide(demonstrations(seed), ranked(seed))
    if (seed := seed_in_name(SENTENCES, source)) is not None:
        return _divide(sentences.demonstrations(seed), sentences.ranked(seed))
    folder = Path(source).expanduser()
    if not folder.is_dir():
        made = ["puzzle:SEED", "sentences:SEED"]
        known = [EMBEDDED, "a folder with ift.jsonl and eft.jsonl", "oasst:FILE", "oasst:OWNER/NAME", *made]
        raise UnknownName("The seeds", source, known)
    return _from_folder(folder)


def _from_folder(folder: Path) -> Seeds:
    ift = _read(_file_of(folder, "ift"), Demonstration, _demonstration)
    rows = _read(_file_of(folder, "eft"), RankedPrompt, _own_fields)
    ranked = [prompt for _, prompt in rows]
    given = {row.data.get("split") for row, _ in rows}
    if len({prompt.split for prompt in ranked}) == 1 and given != {"validation"}:
        ranked = [replace(prompt, split=split_of(prompt.id)) for prompt in ranked]
    return _divide([one for _, one in ift], ranked)


def _file_of(folder: Path, name: str) -> Path:
    """Return the file of a part, plain or gzip; its plain name if there is none."""
    return next((path for suffix in _FORMS if (path := folder / f"{name}{suffix}").is_file()), folder / f"{name}.jsonl")


def _read(path: Path, record: type[T], fields: Callable[[Row], dict[str, Any]]) -> list[tuple[Row, T]]:
    """Read the records of a user's file; ids must be unique."""
    adapter = TypeAdapter(record)
    once = UniqueKeys()
    found: list[tuple[Row, T]] = []
    for unit, number, data in read_values(path):
        row = Row(path, unit, number, data if isinstance(data, dict) else {})
        refuse_newer(data, row.error)
        try:
            one = adapter.validate_python(fields(row) if isinstance(data, dict) else data)
        except (ValidationError, OverflowError) as error:
            advice = " The part held out from training is called validation." if "split: " in explain(error) else ""
            raise row.error_with_hint(f"{explain(error)}.{advice}") from None
        once.add(row, one.id, f"the id {one.id!r:.60}")  # type: ignore[attr-defined]
        found.append((row, one))
    if not found:
        raise DataError(path, "is empty: one JSON object a line is expected.")
    return found


def _own_fields(row: Row) -> dict[str, Any]:
    """Return the fields of a record with an id as text; a missing id is made from the record's position."""
    known = row.identifier("id") if row.data.get("id") is not None else f"{row.path.name[:3]}-{row.number:04d}"
    return {**row.data, "id": known}


def _demonstration(row: Row) -> dict[str, Any]:
    """Return the fields of a demonstration: also of Alpaca's format, with prompt and completion, or as messages."""
    fields = _own_fields(row)
    if "response" in fields or not {"output", "completion", *CONVERSATIONS} & fields.keys():
        return fields
    instruction, response = asked_and_answered(row)
    return {**fields, "instruction": instruction, "response": response}


def _divide(ift: Iterable[Demonstration], ranked: list[RankedPrompt]) -> Seeds:
    return Seeds(
        tuple(ift),
        tuple(prompt for prompt in ranked if prompt.split == "train"),
        tuple(prompt for prompt in ranked if prompt.split == "validation"),
    )
