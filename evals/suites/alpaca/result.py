"""Stored result of AlpacaEval."""

from dataclasses import dataclass

from evals.results import NO_ENDINGS, Endings, Provenance
from srlm.judges.judge_card import JudgeCard
from srlm.types import SCHEMA, Outcome


@dataclass(frozen=True)
class AlpacaResult:
    """Verdicts on one model's answers against the references, in both orders, or in one where another tool judged.

    `card` is None where the judge was not measured. `flagged` answers hold a prompt injection, whose places are in the
    verdicts; `constant` prompts got one and the same answer.
    """

    model: str
    identity: str
    provenance: Provenance
    card: JudgeCard | None
    outcomes: tuple[Outcome, ...]
    flagged: int = 0
    constant: int = 0
    suite: str = "alpaca"
    schema: int = SCHEMA
    endings: Endings = NO_ENDINGS
