"""Seeds and evaluation instructions by name: embedded in the package, a folder of the user's, or Open Assistant.

    embedded              the ones written for srlm (docs/data.md)
    FOLDER                ift.jsonl (id, instruction, response) and eft.jsonl (id, instruction, answers: [text, rank,
                          and where known score and rationale], split)
    oasst:FILE_OR_FOLDER  Open Assistant messages as published (one message a line, JSON Lines or gzip), or a folder
                          with instructions, ranked_train and ranked_validation as .jsonl or .jsonl.gz
    oasst:OWNER/NAME      the same data set on the Hub
    puzzle:SEED           made by the checker of the puzzle world (docs/puzzle.md); "puzzle" alone is that of seed 0

IFT takes the first user turn with the reply that people ranked best (arXiv 2401.10020, section 3.1.1); EFT takes
other first turns with several ranked replies. A prompt without a given split goes to validation in one case of four,
by its id.
"""

import gzip
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, TypeVar

from srlm.errors import DataError, UnknownName
from srlm.optional import require
from srlm.puzzle.seeds import demonstrations, ranked
from srlm.puzzle.world import puzzle_seed
from srlm.randomness import derive
from srlm.records import read_records
from srlm.types import Demonstration, Prompt, RankedAnswer, RankedPrompt

T = TypeVar("T")
EMBEDDED = "embedded"
_VALIDATION_SHARE = 4


@dataclass(frozen=True)
class Seeds:
    """What people wrote: demonstrations for IFT, ranked answers for EFT, and ranked answers held out from training."""

    ift: tuple[Demonstration, ...]
    eft: tuple[RankedPrompt, ...]
    validation: tuple[RankedPrompt, ...]


def evaluation_set() -> list[Prompt]:
    """The embedded evaluation instructions, with labels and references; disjoint from the embedded seeds."""
    with as_file(files("srlm.data") / "eval.jsonl") as path:
        return read_records(path, Prompt)


def load_seeds(source: str) -> Seeds:
    """Load seeds by name.

    Raises:
        UnknownName: no such source.
        DataError: a file is missing, empty or malformed; its line is named.
    """
    if source == EMBEDDED:
        with as_file(files("srlm.data")) as folder:
            return _from_folder(folder)
    if source.startswith("oasst:"):
        return _from_oasst(source.removeprefix("oasst:"))
    if (seed := puzzle_seed(source)) is not None:
        return _divide(demonstrations(seed), ranked(seed))
    folder = Path(source).expanduser()
    if not folder.is_dir():
        known = [EMBEDDED, "a folder with ift.jsonl and eft.jsonl", "oasst:FILE", "oasst:OWNER/NAME", "puzzle:SEED"]
        raise UnknownName("The seeds", source, known)
    return _from_folder(folder)


def _from_folder(folder: Path) -> Seeds:
    ift = read_records(folder / "ift.jsonl", Demonstration)
    ranked = read_records(folder / "eft.jsonl", RankedPrompt)
    if len({prompt.split for prompt in ranked}) == 1:
        ranked = [replace(prompt, split=_split(prompt.id)) for prompt in ranked]
    return _divide(ift, ranked)


def _divide(ift: Iterable[Demonstration], ranked: list[RankedPrompt]) -> Seeds:
    return Seeds(
        tuple(ift),
        tuple(prompt for prompt in ranked if prompt.split == "train"),
        tuple(prompt for prompt in ranked if prompt.split == "validation"),
    )


def _split(prompt_id: str) -> Any:
    return "validation" if derive("split", prompt_id) % _VALIDATION_SHARE == 0 else "train"


def _from_oasst(place: str) -> Seeds:
    path = Path(place).expanduser()
    if path.is_dir():
        ranked = [
            prompt
            for split in ("train", "validation")
            for prompt in _rows(_either(path, f"ranked_{split}"), partial(_ranked, split=split))
        ]
        taken = {prompt.instruction for prompt in ranked}
        ift = [one for one in _rows(_either(path, "instructions"), _demonstration) if one.instruction not in taken]
        return _divide(ift, ranked)
    if path.is_file():
        return _from_messages(path, _rows(path, _message))
    require("datasets", "Reading Open Assistant from the Hub", "train")
    import datasets

    try:
        rows = [_message(row) for row in datasets.load_dataset(place, split="train+validation")]
    except Exception as error:  # the Hub client raises a dozen kinds, all meaning that the data is not here
        raise DataError(path, f"is no local file, and the Hub does not give it ({type(error).__name__}).") from None
    return _from_messages(path, rows)


def _either(folder: Path, name: str) -> Path:
    plain, packed = folder / f"{name}.jsonl", folder / f"{name}.jsonl.gz"
    return packed if packed.is_file() else plain


def _rows(path: Path, convert: Callable[[dict[str, Any]], T]) -> Iterator[T]:
    """The lines of a file, each converted; what cannot be is named with its line."""
    if not path.is_file():
        raise DataError(path, "there is no such file.")
    number = 0  # of the line that is being read, for the messages below
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
        try:
            for line in file:
                number += 1
                if line.strip():
                    yield convert(json.loads(line))
        except json.JSONDecodeError as error:
            raise DataError(path, f"not JSON ({error.msg}, column {error.colno}).", number) from None
        except KeyError as error:
            raise DataError(path, f"the field {error} is missing.", number) from None
        except (ValueError, TypeError, AttributeError, OSError, EOFError) as error:
            raise DataError(
                path, f"not a record of Open Assistant ({type(error).__name__}: {error}).", number
            ) from None


def _demonstration(row: dict[str, Any]) -> Demonstration:
    return Demonstration(str(row["prompt_id"]), row["prompt"], row["response"])


def _ranked(row: dict[str, Any], split: Any) -> RankedPrompt:
    answers = tuple(RankedAnswer(one["text"], int(one["rank"])) for one in row["responses"])
    return RankedPrompt(str(row["prompt_id"]), row["prompt"], answers, split)


@dataclass(frozen=True)
class _Message:
    """One message of Open Assistant, as far as it matters here. Exports leave out fields that are null."""

    id: str
    parent: str | None
    role: str
    text: str
    rank: int | None


def _message(row: dict[str, Any]) -> _Message | None:
    """A message in English that was not deleted; None for any other."""
    identifier, role, text = str(row["message_id"]), str(row["role"]), str(row["text"])
    if row.get("lang") != "en" or row.get("deleted"):
        return None
    rank = row.get("rank")
    return _Message(identifier, row.get("parent_id"), role, text, None if rank is None else int(rank))


def _from_messages(path: Path, messages: Iterable[_Message | None]) -> Seeds:
    """First turns of trees: a third of the prompts with several ranked replies (by id) go to EFT, others to IFT."""
    questions: dict[str, str] = {}
    replies: dict[str, list[RankedAnswer]] = {}
    for one in messages:
        if one is None:
            continue
        if one.role == "prompter" and one.parent is None:
            questions[one.id] = one.text
        elif one.role == "assistant" and one.parent is not None and one.rank is not None:
            replies.setdefault(one.parent, []).append(RankedAnswer(one.text, one.rank))
    ift: list[Demonstration] = []
    ranked: list[RankedPrompt] = []
    for key, question in questions.items():
        answers = sorted(replies.get(key, []), key=lambda answer: answer.rank)
        if len({answer.rank for answer in answers}) > 1 and derive("eft", key) % 3 == 0:
            ranked.append(RankedPrompt(key, question, tuple(answers), _split(key)))
        elif answers and answers[0].rank == 0:
            ift.append(Demonstration(key, question, answers[0].text))
    if not ift or not ranked:
        raise DataError(path, f"gives {len(ift)} demonstrations and {len(ranked)} ranked prompts; both are needed.")
    return _divide(ift, ranked)
