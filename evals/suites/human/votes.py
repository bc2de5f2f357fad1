"""Records of human annotation: annotation sets, and votes as JSON Lines, one file per annotator.

A vote is on the disk before the page confirms it. A second vote on a prompt replaces the first; both stay in the file.
A process that is killed while it writes leaves a line without its end: that vote was not confirmed, so the line is cut
off before the next one is written, and never read.
"""

import json
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from pydantic import TypeAdapter, ValidationError

from srlm.errors import DataError
from srlm.jsonl import explain
from srlm.types import SCHEMA

Verdict = Literal["win", "tie", "loss"]
"""For the first of two models."""

Source = Literal["head-to-head", "alpaca"]
"""The suites whose answers can be annotated."""

SWAPPED: dict[Verdict, Verdict] = {"win": "loss", "tie": "tie", "loss": "win"}
"""The same verdict from the other model's side."""


@dataclass(frozen=True)
class AnswerPair:
    """A prompt with the answers of two models, as they were when the pair was drawn."""

    prompt_id: str
    instruction: str
    answer: str
    opponent_answer: str


@dataclass(frozen=True)
class AnnotationSet:
    """The answer pairs of two models, the same for all annotators.

    `source` is the suite of the answers; `prompts` and `sampling` are as in the provenance of its results. `seed`
    draws the pairs, and the order and the sides for each annotator.
    """

    model: str
    opponent: str
    source: Source
    prompts: str
    sampling: str
    seed: int
    pairs: tuple[AnswerPair, ...]
    suite: str = "human"
    schema: int = SCHEMA


@dataclass(frozen=True)
class Vote:
    """One vote of an annotator on a pair. `left` is the model whose answer was there, `at` the time (UTC, ISO 8601)."""

    prompt_id: str
    annotator: str
    verdict: Verdict
    left: Literal["model", "opponent"]
    at: str
    schema: int = SCHEMA


def read_votes(path: Path) -> list[Vote]:
    """Read all votes of a file, in their order; none where there is no file. An incomplete last line is no vote.

    Raises:
        DataError: the file cannot be read, or a complete line is no vote; the line is named.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise DataError(path, f"cannot be read ({type(error).__name__}).") from None
    votes: list[Vote] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            votes.append(_vote(line))
        except ValueError as error:
            if number == len(lines):
                continue
            problem = explain(error) if isinstance(error, ValidationError) else "not JSON"
            raise DataError(path, f"{problem}.", number) from None
    return votes


def append_vote(path: Path, vote: Vote) -> None:
    """Append a vote; when this returns, it is on the disk.

    Raises:
        OSError: it could not be written. The file is as it was.
    """
    line = memoryview(json.dumps(asdict(vote), ensure_ascii=False).encode() + b"\n")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b", buffering=0) as file:
        _mend(file)
        end = file.seek(0, os.SEEK_END)
        try:
            while line:
                line = line[file.write(line) :]
            os.fsync(file.fileno())
        except OSError:
            file.truncate(end)
            raise


def latest_votes(votes: Sequence[Vote]) -> dict[tuple[str, str], Vote]:
    """Return the latest vote of each annotator on each prompt, by (annotator, prompt)."""
    return {(vote.annotator, vote.prompt_id): vote for vote in votes}


def majority(verdicts: Sequence[Verdict]) -> Verdict | None:
    """Return the verdict of more than half of the votes on a prompt; None where no verdict has so many."""
    found = Counter(verdicts).most_common(1)
    return found[0][0] if found and 2 * found[0][1] > len(verdicts) else None


def _mend(file: BinaryIO) -> None:
    """Cut off an incomplete last line; complete one that lacks only its end."""
    size = file.seek(0, os.SEEK_END)
    if not size:
        return
    file.seek(size - 1)
    if file.read(1) == b"\n":
        return
    file.seek(0)
    content = file.read()
    begin = content.rfind(b"\n") + 1
    try:
        _vote(content[begin:])
    except ValueError:
        file.truncate(begin)
    else:
        file.write(b"\n")


_VOTE = TypeAdapter(Vote)


def _vote(line: bytes) -> Vote:
    try:
        return _VOTE.validate_python(json.loads(line))
    except (RecursionError, OverflowError) as error:
        raise ValueError(str(error)) from None
