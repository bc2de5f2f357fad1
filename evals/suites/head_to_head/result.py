"""Stored result of the suite head-to-head."""

from dataclasses import dataclass, replace

from evals.results import NO_ENDINGS, Endings, Provenance
from srlm.judges.judge_card import JudgeCard
from srlm.types import SCHEMA, Outcome


@dataclass(frozen=True)
class HeadToHeadResult:
    """Verdicts on two models' answers to the same prompts, in both orders; wins are those of `model`.

    `flagged` counts the answers of `model` and of `opponent` that hold a prompt injection, `constant` the prompts that
    got one and the same answer from them.
    """

    model: str
    opponent: str
    identities: tuple[str, str]
    provenance: Provenance
    card: JudgeCard
    outcomes: tuple[Outcome, ...]
    flagged: tuple[int, int] = (0, 0)
    constant: tuple[int, int] = (0, 0)
    suite: str = "head-to-head"
    schema: int = SCHEMA
    endings: tuple[Endings, Endings] = (NO_ENDINGS, NO_ENDINGS)

    def swapped(self) -> "HeadToHeadResult":
        """Return the same result from the opponent's side."""
        return replace(
            self,
            model=self.opponent,
            opponent=self.model,
            identities=self.identities[::-1],
            outcomes=tuple(_swapped(one) for one in self.outcomes),
            flagged=self.flagged[::-1],
            constant=self.constant[::-1],
            endings=self.endings[::-1],
        )


def _swapped(outcome: Outcome) -> Outcome:
    first, second = (None if one is None else 1 - one for one in outcome.orders)
    return replace(
        outcome,
        model=outcome.opponent,
        opponent=outcome.model,
        preference=None if outcome.preference is None else 1 - outcome.preference,
        orders=(second, first),
        length=outcome.opponent_length,
        opponent_length=outcome.length,
        verdict_ids=outcome.verdict_ids[::-1],
    )
