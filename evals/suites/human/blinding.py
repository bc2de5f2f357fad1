"""Blinded presentation of answer pairs: annotators see neither the models' names nor the ids of the prompts.

Order and sides belong to the annotator, and follow from the annotation set's seed and the annotator's name: they are
the same after every start. Of every two pairs, one has the first model on the left, so that side bias favours neither
model. The id of a pair is a digest, because the ids of prompts may hold the name of a model.
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
MAX_NAME = 40
MAX_FORMER_NAME = 200
"""Characters of file names that earlier versions gave."""


@dataclass(frozen=True)
class BlindPair:
    """Two answers next to each other, and the annotator's latest choice."""

    id: str
    instruction: str
    left: str
    right: str
    choice: Choice | None = None


class AnnotationSession:
    """Presentation of an annotation set to several annotators, and the recording of their votes.

    Args:
        annotation_set: the answer pairs.
        folder: holds a file of votes for each annotator.
    """

    def __init__(self, annotation_set: AnnotationSet, folder: Path) -> None:
        self.annotation_set = annotation_set
        self.folder = folder
        self._lock = Lock()
        folder.mkdir(parents=True, exist_ok=True)

    def pairs(self, annotator: str) -> list[BlindPair]:
        """Return all pairs of an annotator, in their order.

        Raises:
            DataError: the annotator's file is damaged.
        """
        votes = latest_votes(read_votes(self._path(annotator)))
        seed = self.annotation_set.seed
        order = sorted(self.annotation_set.pairs, key=lambda one: derive_seed(seed, "order", annotator, one.prompt_id))
        sides = self._sides(annotator)
        return [
            _blind_pair(self._id(annotator, one), one, sides[one.prompt_id], votes.get((annotator, one.prompt_id)))
            for one in order
        ]

    def record_vote(self, annotator: str, pair: str, choice: Choice) -> None:
        """Write a vote. When this returns, it is on the disk.

        Raises:
            KeyError: the annotator has no pair with this id.
            OSError: it could not be written, or the run no longer exists.
        """
        voted = {self._id(annotator, one): one for one in self.annotation_set.pairs}[pair]
        left = self._sides(annotator)[voted.prompt_id]
        now = datetime.now(UTC).isoformat(timespec="seconds")
        vote = Vote(voted.prompt_id, annotator, _verdict(choice, left), left, now)
        with self._lock:
            if not self.folder.is_dir():  # a removed folder must not come back without its annotation set
                raise FileNotFoundError(errno.ENOENT, "the folder of these votes was removed", str(self.folder))
            append_vote(self._path(annotator), vote)

    def counts(self) -> dict[str, int]:
        """Return the number of pairs with a vote, by annotator."""
        prompts = {one.prompt_id for one in self.annotation_set.pairs}
        with self._lock:
            found: dict[str, int] = {}
            for path in sorted(self.folder.glob("*.jsonl")):
                for annotator, prompt_id in latest_votes(read_votes(path)):
                    found[annotator] = found.get(annotator, 0) + (prompt_id in prompts)
        return found

    def _path(self, annotator: str) -> Path:
        former, name = quote(annotator, safe=""), file_name(annotator)
        exists = len(former) <= MAX_FORMER_NAME and (self.folder / f"{former}.jsonl").exists()
        return self.folder / f"{former if exists else name}.jsonl"

    def _id(self, annotator: str, pair: AnswerPair) -> str:
        return f"{derive_seed(self.annotation_set.seed, 'pair', annotator, pair.prompt_id):016x}"

    def _sides(self, annotator: str) -> Mapping[str, Literal["model", "opponent"]]:
        """Draw the answer on the left, by prompt: at random for every first of two pairs, the other for the second."""
        sides: dict[str, Literal["model", "opponent"]] = {}
        for place, pair in enumerate(self.annotation_set.pairs):
            draw = derive_seed(self.annotation_set.seed, "side", annotator, place // 2)
            sides[pair.prompt_id] = "model" if (draw + place) % 2 else "opponent"
        return sides


def clean_name(annotator: str) -> str:
    """Return an annotator's name in small letters, so that it names one file on every system.

    Raises:
        UsageError: it is empty, too long, or has characters that cannot be seen.
    """
    name = " ".join(annotator.split()).lower()
    if not 0 < len(name) <= MAX_NAME or not name.isprintable():
        raise UsageError(f"An annotator's name has 1 to {MAX_NAME} characters that can be seen, such as: ann")
    return name


def _blind_pair(id: str, pair: AnswerPair, left: Literal["model", "opponent"], vote: Vote | None) -> BlindPair:
    one, two = pair.answer, pair.opponent_answer
    sides = (one, two) if left == "model" else (two, one)
    return BlindPair(id, pair.instruction, *sides, choice=_choice(vote.verdict, left) if vote else None)


def _verdict(choice: Choice, left: Literal["model", "opponent"]) -> Verdict:
    if choice == "tie":
        return "tie"
    return "win" if (choice == "left") == (left == "model") else "loss"


def _choice(verdict: Verdict, left: Literal["model", "opponent"]) -> Choice:
    if verdict == "tie":
        return "tie"
    return "left" if (verdict == "win") == (left == "model") else "right"
