"""Open Assistant's data as demonstrations and ranked prompts: messages or trees, or a folder of three files.

Only messages in English that were not deleted are used: first turns as seeds, whole conversations as prompts
(`read_threads`). The rank of a message is a number; null, or the NaN that pandas writes for it, means no rank. A text
that is null is refused.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, isnan
from pathlib import Path
from typing import Any, Literal, TypeVar

from srlm.errors import DataError
from srlm.json_files import Row, UniqueKeys, read_values
from srlm.optional_deps import require
from srlm.seeding import derive_seed
from srlm.types import Demonstration, RankedAnswer, RankedPrompt

T = TypeVar("T")
Split = Literal["train", "validation"]
Given = tuple[list[Demonstration], list[RankedPrompt]]

_VALIDATION_SHARE = 4


def split_of(prompt_id: str) -> Split:
    """Return the split of a prompt without one: validation for a quarter of the prompts, by id."""
    return "validation" if derive_seed("split", prompt_id) % _VALIDATION_SHARE == 0 else "train"


def read_open_assistant(place: str) -> Given:
    """Read demonstrations and ranked prompts from a file, a folder, or a data set on the Hub.

    Raises:
        DataError: a file is missing or malformed (the message has the line), or has too few records.
    """
    path = Path(place).expanduser()
    if path.is_dir():
        return _of_folder(path)
    if path.is_file():
        return _of_messages(path, _rows(path))
    require("datasets", "Reading Open Assistant from the Hub", "train")
    import datasets

    try:
        given = [dict(row) for row in datasets.load_dataset(place, split="train+validation")]
    except Exception as error:  # the Hub client has a dozen exceptions, all meaning that the data are not available
        problem = f"is not a local file, and cannot be loaded from the Hub ({type(error).__name__})."
        raise DataError(path, problem) from None
    return _of_messages(path, (Row(path, "record", number, row) for number, row in enumerate(given, start=1)))


@dataclass(frozen=True)
class _Message:
    id: str
    parent: str | None
    role: str
    text: str
    rank: float | None


def _of_folder(folder: Path) -> Given:
    once = UniqueKeys()
    ranked = [
        _checked(row, lambda row, split=split: _ranked(row, once, split))  # type: ignore[misc]
        for split in ("train", "validation")
        for row in _rows(_either(folder, f"ranked_{split}"))
    ]
    taken = {prompt.instruction for prompt in ranked}
    once = UniqueKeys()
    all_of_them = [_demonstration(row, once) for row in _rows(_either(folder, "instructions"))]
    return [one for one in all_of_them if one.instruction not in taken], ranked


def _either(folder: Path, name: str) -> Path:
    plain, packed = folder / f"{name}.jsonl", folder / f"{name}.jsonl.gz"
    return packed if packed.is_file() else plain


def _rows(path: Path) -> Iterator[Row]:
    for unit, number, data in read_values(path):
        if not isinstance(data, dict):
            raise Row(path, unit, number, {}).error("not a record of Open Assistant: a JSON object is expected.")
        yield Row(path, unit, number, data)


def is_open_assistant(row: Row) -> bool:
    """Return True if a record is a message or a tree of messages."""
    return "message_tree_id" in row.data or {"message_id", "role"} <= row.data.keys()


def read_threads(rows: Iterable[Row]) -> tuple[Iterator[Row], list[Row]]:
    """Return a conversation for each tree, as a record with messages: along the replies that people ranked best.

    Returns:
        The conversations, and the first messages of trees that give none: deleted, or not in English.

    Raises:
        DataError: a message is malformed, or its id is repeated; the message has the line.
    """
    first: list[tuple[Row, _Message]] = []
    skipped: list[Row] = []
    replies: dict[str, list[_Message]] = {}
    once = UniqueKeys()
    for row, one in _messages(rows):
        if one is None:
            skipped += [row] if _is_missing(row.data.get("parent_id")) else []
            continue
        once.add(row, one.id, "the message_id")
        if one.parent is None:
            first.append((row, one))
        else:
            replies.setdefault(one.parent, []).append(one)
    return (_thread(row, one, replies) for row, one in first), skipped


def _thread(row: Row, first: _Message, replies: Mapping[str, Sequence[_Message]]) -> Row:
    thread = [first]
    while thread[-1].id in replies:
        thread.append(min(replies[thread[-1].id], key=lambda one: (one.rank is None, one.rank or 0)))
    messages = [{"role": one.role, "content": one.text} for one in thread]
    return Row(row.path, row.unit, row.number, {"messages": messages})


def _checked(row: Row, convert: Callable[[Row], T]) -> T:
    try:
        return convert(row)
    except ValueError as error:  # raised by the record itself: no two different ranks
        raise row.error(f"not a record of Open Assistant ({error}).") from None


def _demonstration(row: Row, once: UniqueKeys) -> Demonstration:
    one = Demonstration(row.identifier("prompt_id"), row.text("prompt"), row.text("response"))
    once.add(row, one.id, "the prompt_id")
    return one


def _ranked(row: Row, once: UniqueKeys, split: Split) -> RankedPrompt:
    given = row.data.get("responses")
    if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
        raise row.error_with_hint("the field responses must be a list of objects with text and rank.")
    answers = []
    for one in given:
        part = Row(row.path, row.unit, row.number, one)
        rank = _rank(part)
        if rank is None:
            raise part.error("the field rank must be a number.")
        answers.append(RankedAnswer(part.text("text"), rank))
    identifier = row.identifier("prompt_id")
    once.add(row, (identifier, split), "the prompt_id")
    return RankedPrompt(identifier, row.text("prompt"), tuple(answers), split)


def _rank(row: Row) -> float | None:
    """Return the rank; None without one."""
    value = row.data.get("rank")
    if _is_missing(value):
        return None
    try:
        number = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else float("inf")
    except (ValueError, OverflowError):
        number = float("inf")
    if not isfinite(number):
        raise row.error(f"the field rank must be a number, not {value!r:.40}.")
    return int(number) if number.is_integer() else number


def _messages(rows: Iterable[Row]) -> Iterator[tuple[Row, _Message | None]]:
    """Yield all messages of rows that are messages or trees of messages."""
    for row in rows:
        if "message_tree_id" not in row.data or "message_id" in row.data:
            yield row, _message(row)
            continue
        left: list[Any] = [row.data.get("prompt")]
        while left:
            node = left.pop()
            if not isinstance(node, Mapping):
                raise row.error("not a tree of Open Assistant: prompt and replies must be messages.")
            part = Row(row.path, row.unit, row.number, dict(node))
            yield part, _message(part)
            replies = node.get("replies") or []
            left += reversed(replies) if isinstance(replies, list) else [replies]


def _message(row: Row) -> _Message | None:
    """Return a message in English that was not deleted; None for any other."""
    identifier, role = row.identifier("message_id"), row.text("role")
    if row.data.get("lang") != "en" or row.data.get("deleted"):
        return None
    parent = None if _is_missing(row.data.get("parent_id")) else row.identifier("parent_id")
    return _Message(identifier, parent, role, row.text("text"), _rank(row))


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and isnan(value))


def _of_messages(path: Path, rows: Iterable[Row]) -> Given:
    """Divide first turns: a third of those with several ranked replies (by id) go to EFT, the others to IFT."""
    questions: dict[str, str] = {}
    replies: dict[str, list[RankedAnswer]] = {}
    once = UniqueKeys()
    for row, one in _messages(rows):
        if one is None:
            continue
        once.add(row, one.id, "the message_id")
        if one.role == "prompter" and one.parent is None:
            questions[one.id] = one.text
        elif one.role == "assistant" and one.parent is not None and one.rank is not None:
            replies.setdefault(one.parent, []).append(RankedAnswer(one.text, one.rank))
    ift: list[Demonstration] = []
    ranked: list[RankedPrompt] = []
    for key, question in questions.items():
        answers = sorted(replies.get(key, []), key=lambda answer: answer.rank)
        if len({answer.rank for answer in answers}) > 1 and derive_seed("eft", key) % 3 == 0:
            ranked.append(RankedPrompt(key, question, tuple(answers), split_of(key)))
        elif answers and answers[0].rank == 0:
            ift.append(Demonstration(key, question, answers[0].text))
    if not ift or not ranked:
        raise DataError(path, f"has {len(ift)} demonstrations and {len(ranked)} ranked prompts; both are needed.")
    return ift, ranked
