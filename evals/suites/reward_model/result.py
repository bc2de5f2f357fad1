"""Stored result of the suite reward."""

from dataclasses import dataclass

from evals.results import Provenance
from srlm.stats.reward_model import Ranked
from srlm.types import SCHEMA

NO_RUBRIC = "none"
"""In the provenance of programs and reward models, which all score in their own way and so can be compared."""


@dataclass(frozen=True)
class RewardResult:
    """One model as a judge of ranked answers. `groups` are its rewards with the human ranks, one per instruction.

    `perfect` is the best score of the rubric; None for a program or a reward model, whose scores have no scale.
    """

    model: str
    identity: str
    provenance: Provenance
    instruction_ids: tuple[str, ...]
    groups: tuple[Ranked, ...]
    scored: int
    unparsed: int
    failed: int
    perfect: float | None = 5.0
    suite: str = "reward"
    schema: int = SCHEMA
