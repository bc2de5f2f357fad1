"""Results of AlpacaEval and of the suite reward, made by hand."""

from dataclasses import replace

from evals.results import Provenance
from evals.suites.alpaca.result import AlpacaResult
from evals.suites.reward_model.result import RewardResult
from srlm.judges.judge_card import JudgeCard
from srlm.stats.intervals import Estimate
from srlm.types import Outcome

ESTIMATE = Estimate(0.8, 0.7, 0.9, 40, 20)

CARD = JudgeCard("judge", "pairwise:0", ESTIMATE, ESTIMATE, ESTIMATE, ESTIMATE, 1.0)

PROVENANCE = Provenance("judge id", "pairwise:0", "4:abc", "T=0.7")


def alpaca(model, preferences, lengths=None, **provenance):
    """A result from preferences by prompt; "lost" stands for an answer that never came."""
    outcomes = []
    for i, one in enumerate(preferences):
        lost = one == "lost"
        value = None if lost else one
        length = 0 if lost else lengths[i] if lengths else 100 + i
        ids = () if lost else (f"{model}-{i}-v0", f"{model}-{i}-v1")
        outcomes.append(Outcome(f"e{i}", model, "reference", value, (value, value), length, 200, ids))
    return AlpacaResult(model, f"id of {model}", replace(PROVENANCE, **provenance), CARD, tuple(outcomes))


def reward(model, *groups, counts=(10, 0, 0), **provenance):
    names = tuple(f"q{i}" for i in range(len(groups)))
    return RewardResult(model, f"id of {model}", replace(PROVENANCE, **provenance), names, groups, *counts)
