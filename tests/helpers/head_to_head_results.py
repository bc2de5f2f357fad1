"""Results of head-to-head, made by hand."""

from dataclasses import replace

from evals.results import Provenance, collect
from evals.suites.head_to_head.result import HeadToHeadResult
from srlm.judges.judge_card import JudgeCard
from srlm.stats.intervals import Estimate
from srlm.types import Outcome

CARD = JudgeCard("judge", "pairwise:0", *[Estimate(0.8, 0.7, 0.9, 40, 20)] * 4, 1.0)
PROVENANCE = Provenance("judge id", "pairwise:0", "4:abc", "T=0.7")

WIN, LOSS, FIRST, SECOND, EVEN, UNREAD = (0.9, 0.8), (0.1, 0.2), (0.7, 0.4), (0.3, 0.6), (0.5, 0.5), (None, 0.9)
"""What both orders say; FIRST went twice to the answer that was shown first, SECOND twice to the other."""


def result(model, opponent, *orders, **changed):
    outcomes = [
        Outcome(f"e{i}", model, opponent, None if None in one else sum(one) / 2, one, 100 + i, 50, ("v0", "v1"))
        for i, one in enumerate(orders)
    ]
    return HeadToHeadResult(model, opponent, ("a", "b"), replace(PROVENANCE, **changed), CARD, tuple(outcomes))


def results(*found):
    return collect(found)
