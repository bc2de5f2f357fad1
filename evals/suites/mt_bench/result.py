"""Stored result of MT-Bench."""

from dataclasses import dataclass
from typing import Literal

from evals.results import NO_ENDINGS, Endings, Provenance
from srlm.types import SCHEMA

State = Literal["scored", "unparsed", "failed", "unanswered", "absent"]


@dataclass(frozen=True)
class Grade:
    """The grade of one turn; `score` is None where there is none.

    `state` is the reason: the judge's reply holds no grade (`unparsed`), its call failed (`failed`), there was no
    answer to grade (`unanswered`), or a file of judgements has no record (`absent`). `length` is the answer's, in
    characters.
    """

    question: int
    category: str
    turn: Literal[1, 2]
    score: float | None
    state: State
    length: int | None = None


@dataclass(frozen=True)
class MtBenchResult:
    """Grades of one model's answers to two-turn questions, one for each turn in every case.

    `flagged` answers hold a prompt injection.
    """

    model: str
    identity: str
    provenance: Provenance
    grades: tuple[Grade, ...]
    flagged: int = 0
    suite: str = "mt-bench"
    schema: int = SCHEMA
    endings: Endings = NO_ENDINGS
