"""What an annotator sees of a sheet: ballots, which tell neither which model wrote what nor which prompt it was.

Order and sides belong to the annotator, and follow from the sheet's seed and their name: they are the same after every
start. Of every two pairs of the sheet one has its first model on the left, so that a liking for a side favours none.
A ballot's id is a digest, because the ids of prompts may hold the name of a model.
"""

import errno
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Literal
from urllib.parse import quote

from evals.suites.human.votes import AnnotationSet, AnswerPair, Verdict, Vote, append_vote, latest_votes, read_votes
from srlm.errors import UsageError
from srlm.filenames import file_name
from srlm.seeding import derive_seed

Choice = Literal["left", "right", "tie"]
LONGEST_NAME = 40
LONGEST_BEFORE = 200
"""Characters of the names of files that earlier versions made."""


@dataclass(frozen=True)
class Ballot:
    """Two answers side by side, and what the annotator has said of them so far."""

    id: str
    instruction: str
    left: str
    right: str
    choice: Choice | None = None


class Booth:
    """Gives ballots out and takes votes in; several annotators may do so at the same time.

    Args:
        sheet: what is voted on.
        folder: holds a file of votes for each annotator.
    """

    def __init__(self, sheet: AnnotationSet, folder: Path) -> None:
        self.sheet = sheet
        self.folder = folder
        self._lock = Lock()
        folder.mkdir(parents=True, exist_ok=True)

    def ballots(self, annotator: str) -> list[Ballot]:
        """All ballots of an annotator, in their order.

        Raises:
            DataError: their file is damaged.
        """
        stand = latest_votes(read_votes(self._path(annotator)))
        order = sorted(
            self.sheet.pairs, key=lambda one: derive_seed(self.sheet.seed, "order", annotator, one.prompt_id)
        )
        sides = self._sides(annotator)
        return [
            _ballot(self._id(annotator, one), one, sides[one.prompt_id], stand.get((annotator, one.prompt_id)))
            for one in order
        ]

    def take(self, annotator: str, ballot: str, choice: Choice) -> None:
        """Write a vote down. When this returns, it is on the disk.

        Raises:
            KeyError: the annotator has no such ballot.
            OSError: it could not be written, or the run is no longer there.
        """
        shown = {self._id(annotator, one): one for one in self.sheet.pairs}[ballot]
        left = self._sides(annotator)[shown.prompt_id]
        now = datetime.now(UTC).isoformat(timespec="seconds")
        vote = Vote(shown.prompt_id, annotator, _verdict(choice, left), left, now)
        with self._lock:
            if not self.folder.is_dir():  # whoever removed it wants no votes without their sheet
                raise FileNotFoundError(errno.ENOENT, "the folder of these votes was removed", str(self.folder))
            append_vote(self._path(annotator), vote)

    def counts(self) -> dict[str, int]:
        """How many votes stand, by annotator."""
        shown = {one.prompt_id for one in self.sheet.pairs}
        with self._lock:
            found: dict[str, int] = {}
            for path in sorted(self.folder.glob("*.jsonl")):
                for annotator, prompt_id in latest_votes(read_votes(path)):
                    found[annotator] = found.get(annotator, 0) + (prompt_id in shown)
        return found

    def _path(self, annotator: str) -> Path:
        before, now = quote(annotator, safe=""), file_name(annotator)
        stands = len(before) <= LONGEST_BEFORE and (self.folder / f"{before}.jsonl").exists()
        return self.folder / f"{before if stands else now}.jsonl"

    def _id(self, annotator: str, shown: AnswerPair) -> str:
        return f"{derive_seed(self.sheet.seed, 'ballot', annotator, shown.prompt_id):016x}"

    def _sides(self, annotator: str) -> Mapping[str, Literal["model", "opponent"]]:
        """Whose answer stands on the left, by prompt: a coin for every two pairs, the second gets the other side."""
        sides: dict[str, Literal["model", "opponent"]] = {}
        for place, shown in enumerate(self.sheet.pairs):
            coin = derive_seed(self.sheet.seed, "side", annotator, place // 2)
            sides[shown.prompt_id] = "model" if (coin + place) % 2 else "opponent"
        return sides


def named(annotator: str) -> str:
    """An annotator's name as it is kept: in small letters, so that it is one file on every system.

    Raises:
        UsageError: it is empty, too long, or has characters that cannot be seen.
    """
    name = " ".join(annotator.split()).lower()
    if not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
        raise UsageError(f"An annotator's name has 1 to {LONGEST_NAME} characters that can be seen, such as: ann")
    return name


def _ballot(id: str, shown: AnswerPair, left: Literal["model", "opponent"], vote: Vote | None) -> Ballot:
    one, two = shown.answer, shown.opponent_answer
    sides = (one, two) if left == "model" else (two, one)
    return Ballot(id, shown.instruction, *sides, choice=_choice(vote.verdict, left) if vote else None)


def _verdict(choice: Choice, left: Literal["model", "opponent"]) -> Verdict:
    if choice == "tie":
        return "tie"
    return "win" if (choice == "left") == (left == "model") else "loss"


def _choice(verdict: Verdict, left: Literal["model", "opponent"]) -> Choice:
    if verdict == "tie":
        return "tie"
    return "left" if (verdict == "win") == (left == "model") else "right"
