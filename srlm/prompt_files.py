"""Prompts of the user's own: from a file, or from a data set on the Hub (hf:OWNER/NAME[:SPLIT]).

    prompt, instruction or question    text, with a text `input` after it; AlpacaEval's, Alpaca's and UltraFeedback's
                                       form; or a list of messages
    messages, conversations            a list of messages (role and content, or ShareGPT's from and value)
    turns                              MT-Bench's questions: the first turn, since the others need an answer before them
    message_id, message_tree_id        Open Assistant's messages and trees: one conversation a tree, along the replies
                                       that people ranked best

The last turn of the user is answered. What comes before it is its context: the system message and the earlier turns,
which may be in fields of their own (`srlm.conversations`: system, history, context). A turn of the assistant at the
end, the answer of the data set, is left off, and so are the fields for answers. Formats: JSON Lines or a JSON array,
plain or gzip, CSV, Parquet.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Literal

from srlm.conversations import (
    CONTEXT_FIELDS,
    CONVERSATIONS,
    QUESTIONS,
    Question,
    asked_in_messages,
    question_in,
    question_of,
    with_input,
)
from srlm.data_tables import HUB, SUFFIXES, table_rows
from srlm.errors import DataError
from srlm.json_files import Row
from srlm.open_assistant import is_open_assistant, read_threads
from srlm.read_text import opened
from srlm.types import Dropped, Message, Prompt

_MT_BENCH = "turns"
_OPEN_ASSISTANT = ("message_id", "message_tree_id", "parent_id", "role", "text", "lang", "deleted", "rank", "replies")
_COLUMNS = frozenset({*CONVERSATIONS, *QUESTIONS, *CONTEXT_FIELDS, _MT_BENCH, *_OPEN_ASSISTANT})
_HUB_NAME = re.compile(rf"{HUB}[\w.-]+/[\w.-]+(:.+)?")

FILE: Literal["file"] = "file"
"""The source of prompts that were read here."""
NOT_READ = "deleted, or not in English"
"""The reason why a tree of Open Assistant gives no prompt."""


@dataclass(frozen=True)
class PromptFile:
    """The prompts of a file or a data set, in its order.

    `sha256` is that of the file's bytes; of a data set on the Hub, that of the prompts. `refused` are records that are
    no prompts, by the rules of their form.
    """

    source: str
    sha256: str
    prompts: tuple[Prompt, ...]
    refused: tuple[Dropped, ...] = ()


def is_prompt_source(source: str) -> bool:
    """Return True if a name has the form of a file, or of a data set on the Hub."""
    return bool(_HUB_NAME.fullmatch(source)) or (
        not source.startswith(HUB) and ("/" in source or source.lower().endswith((*SUFFIXES, ".gz")))
    )


def read_prompts(source: str) -> PromptFile:
    """Read prompts of any of the forms. Their ids are the positions of their records.

    Raises:
        DataError: there is no such file or data set, it has no record, or a record is of no known form; the message
            has the position.
        MissingDependency: a library that it needs is not installed.
    """
    rows = table_rows(source, _COLUMNS)
    first = next(rows, None)
    if first is None:
        raise DataError(Path(source), "has no record. One prompt a record is expected.")
    rows = chain([first], rows)
    skipped: list[Row] = []
    if is_open_assistant(first):
        rows, skipped = read_threads(rows)
    prompts = tuple(_prompt(row) for row in rows)
    refused = tuple(Dropped(_position(row), NOT_READ, str(row.data.get("text") or "")) for row in skipped)
    return PromptFile(source, _of_prompts(prompts) if source.startswith(HUB) else file_digest(source), prompts, refused)


def file_digest(source: str) -> str:
    """Return the SHA-256 of a file's bytes.

    Raises:
        DataError: there is no such file, or it cannot be read.
    """
    with opened(Path(source).expanduser()) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]  # it is a BufferedReader


def _of_prompts(prompts: Iterable[Prompt]) -> str:
    digest = hashlib.sha256()
    for prompt in prompts:
        digest.update(f"{prompt.context!r}\x1f{prompt.instruction}\x1e".encode())
    return digest.hexdigest()


def _position(row: Row) -> str:
    return f"{row.unit}-{row.number}"


def _prompt(row: Row) -> Prompt:
    question = _question(row)
    place = str(row.path) if str(row.path).startswith(HUB) else row.path.name  # without the folders of a machine
    origin = f"{place}, {row.unit} {row.number}"
    return Prompt(_position(row), question.instruction, FILE, origin=origin, context=question.context)


def _question(row: Row) -> Question:
    """Return the question of a record.

    Raises:
        DataError: it is of no known form, or has no text.
    """
    name = next((one for one in (*CONVERSATIONS, *QUESTIONS, _MT_BENCH) if one in row.data), None)
    if name is None:
        raise row.error_with_hint(
            "has no prompt: a field prompt, instruction, question, messages or conversations is expected; "
            f"it has {row.field_names}."
        )
    value = row.data[name]
    if name == _MT_BENCH:
        if not (isinstance(value, list) and value and isinstance(value[0], str)):
            raise row.error(f"the field {name} must be a list of texts.")
        question = question_in(replace(row, data={**row.data, name: value[0]}), name)
    elif name in CONVERSATIONS or isinstance(value, list):
        question, _ = asked_in_messages(row, name)
    else:
        question = question_in(row, name)
    question = with_input(row, question)
    return question_of(row, name, (*question.context, Message("user", question.instruction)))
