"""Comparison of one model as a judge under several rubrics and scorings (prompt ablation; 2401.10020, Table 5)."""

from collections.abc import Sequence

from evals.compare.comparison import Comparison, compare_models
from evals.results import Result, collect
from evals.suites.reward_model.result import RewardResult


def ablations(results: Sequence[Result]) -> list[Comparison]:
    """Compare the variants of each model that judged under more than one; the first variant is the baseline."""
    of: dict[str, list[RewardResult]] = {}
    for result in results:
        if isinstance(result, RewardResult):
            of.setdefault(result.identity, []).append(result)
    return [
        compare_models(
            collect(variants),
            [one.model for one in variants],
            variants[0].model,
            allow_mismatch=("judge", "rubric", "sampling"),
        )
        for variants in of.values()
        if len(variants) > 1
    ]
