"""Seeds and evaluation instructions by name: embedded in the package, a folder of the user's, or Open Assistant.

    embedded              the ones written for srlm (docs/data.md)
    FOLDER                ift.jsonl (id, instruction, response) and eft.jsonl (id, instruction, answers: [text, rank,
                          and where known score and rationale], split)
    oasst:FILE_OR_FOLDER  Open Assistant messages as published (one message a line, JSON Lines or gzip), or a folder
                          with instructions, ranked_train and ranked_validation as .jsonl or .jsonl.gz
    oasst:OWNER/NAME      the same data set on the Hub

IFT takes the first user turn with the reply that people ranked best (arXiv 2401.10020, section 3.1.1); EFT takes
other first turns with several ranked replies. A prompt without a given split goes to validation in one case of four,
by its id.
"""

import gzip
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from srlm.errors import DataError, UnknownName
from srlm.optional import require
from srlm.randomness import derive
from srlm.records import read_records
from srlm.types import Demonstration, Prompt, RankedAnswer, RankedPrompt

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
    folder = Path(source).expanduser()
    if not folder.is_dir():
        raise UnknownName(
            "The seeds", source, [EMBEDDED, "a folder with ift.jsonl and eft.jsonl", "oasst:FILE", "oasst:OWNER/NAME"]
        )
    return _from_folder(folder)


def _from_folder(folder: Path) -> Seeds:
    ift = read_records(folder / "ift.jsonl", Demonstration)
    ranked = read_records(folder / "eft.jsonl", RankedPrompt)
    for number, prompt in enumerate(ranked, start=1):
        if len({answer.rank for answer in prompt.answers}) < 2:
            raise DataError(folder / "eft.jsonl", "at least two answers of different rank are needed.", number)
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
            _ranked(row, split) for split in ("train", "validation") for row in _rows(_either(path, f"ranked_{split}"))
        ]
        taken = {prompt.instruction for prompt in ranked}
        ift = [
            Demonstration(str(row["prompt_id"]), row["prompt"], row["response"])
            for row in _rows(_either(path, "instructions"))
            if row["prompt"] not in taken
        ]
        return _divide(ift, ranked)
    if path.is_file():
        return _from_messages(_rows(path))
    require("datasets", "Reading Open Assistant from the Hub", "train")
    import datasets

    try:
        return _from_messages(datasets.load_dataset(place, split="train+validation"))
    except Exception as error:  # the Hub client raises a dozen kinds, all meaning that the data is not here
        raise DataError(path, f"is no local file, and the Hub does not give it ({type(error).__name__}).") from None


def _either(folder: Path, name: str) -> Path:
    plain, packed = folder / f"{name}.jsonl", folder / f"{name}.jsonl.gz"
    return packed if packed.is_file() else plain


def _rows(path: Path) -> Iterable[dict[str, Any]]:
    if not path.is_file():
        raise DataError(path, "there is no such file.")
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise DataError(path, f"not JSON ({error.msg}, column {error.colno}).", number) from None
            if not isinstance(row, dict):
                raise DataError(path, "an object is expected.", number)
            yield row


def _ranked(row: dict[str, Any], split: Any) -> RankedPrompt:
    answers = tuple(RankedAnswer(one["text"], int(one["rank"])) for one in row["responses"])
    return RankedPrompt(str(row["prompt_id"]), row["prompt"], answers, split)


def _from_messages(rows: Iterable[dict[str, Any]]) -> Seeds:
    """First turns of English trees. Prompts with several ranked replies alternate between IFT and EFT, by their id."""
    questions: dict[str, str] = {}
    replies: dict[str, list[RankedAnswer]] = {}
    for row in rows:
        if row.get("lang") != "en" or row.get("deleted"):
            continue
        if row["role"] == "prompter" and row["parent_id"] is None:
            questions[row["message_id"]] = row["text"]
        elif row["role"] == "assistant" and row.get("rank") is not None:
            replies.setdefault(row["parent_id"], []).append(RankedAnswer(row["text"], int(row["rank"])))
    ift: list[Demonstration] = []
    ranked: list[RankedPrompt] = []
    for key, question in questions.items():
        answers = sorted(replies.get(key, []), key=lambda one: one.rank)
        if len({one.rank for one in answers}) > 1 and derive("eft", key) % 3 == 0:
            ranked.append(RankedPrompt(key, question, tuple(answers), _split(key)))
        elif answers and answers[0].rank == 0:
            ift.append(Demonstration(key, question, answers[0].text))
    return _divide(ift, ranked)
