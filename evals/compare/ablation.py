"""One model as a judge in several ways, side by side: the ablation of the judge's prompt (2401.10020, Table 5)."""

from collections.abc import Sequence

from evals.compare.comparison import Comparison, compare_models
from evals.results import Result, collect
from evals.suites.reward_model.result import RewardResult


def ablations(results: Sequence[Result]) -> list[Comparison]:
    """A comparison of the ways of each model that judged in more than one; the first way is the baseline."""
    of: dict[str, list[RewardResult]] = {}
    for result in results:
        if isinstance(result, RewardResult):
            of.setdefault(result.identity, []).append(result)
    return [
        compare_models(
            collect(ways),
            [one.model for one in ways],
            ways[0].model,
            allow_mismatch=("judge", "rubric", "sampling"),
        )
        for ways in of.values()
        if len(ways) > 1
    ]
