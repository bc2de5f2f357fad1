"""Stored result of the suite reward."""

from dataclasses import dataclass

from evals.results import Provenance
from srlm.stats.reward_model import Ranked
from srlm.types import SCHEMA

NO_RUBRIC = "none"
"""In the provenance of programs, reward models and combinations: each scores in its own way, so all can be compared."""


@dataclass(frozen=True)
class RewardResult:
    """One model as a judge of ranked answers. `groups` are its rewards with the human ranks, one per instruction.

    `perfect` is the best score of the rubric; None for a program, a reward model or a combination, whose scores have no
    scale. `vetoed` has the answers that a combination vetoes, as (place of the group, place in it): in `groups` these
    have one score, below those of all others.
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
    vetoed: tuple[tuple[int, int], ...] = ()
