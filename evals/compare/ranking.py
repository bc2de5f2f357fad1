"""Ranking of models by a metric, with the interval of ranks that each of them may have.

A table against a baseline does not compare the other models with each other. Here every two models are tested, and the
p values are adjusted over all pairs (Holm): a model ranks behind those that are significantly better, and before those
that are significantly worse. Models without a significant difference share their ranks.
"""

from collections.abc import Collection
from itertools import combinations
from math import isnan

from evals.metric import Cell, ExtraTable, Metric, is_significant
from srlm.stats.intervals import Estimate
from srlm.stats.paired import holm

FEWEST = 4
"""Models that are ranked: for fewer, the table against the baseline is nearly complete."""


def ranking(metric: Metric, left_out: Collection[str] = ()) -> ExtraTable | None:
    """Rank models by a metric; return None for one without tests or a better direction, and for few models.

    Args:
        metric: with a test of two models.
        left_out: models whose values cannot be trusted.
    """
    test = metric.test
    models = [one for one, cell in metric.cells.items() if one not in left_out and not isnan(cell.estimate.value)]
    if test is None or metric.better == "neither" or len(models) < FEWEST:
        return None
    sign = 1 if metric.better == "more" else -1
    models.sort(key=lambda one: -sign * metric.cells[one].estimate.value)
    pairs = [*combinations(models, 2)]
    tests = [test(one, two) for one, two in pairs]
    p_values = holm([found.p_value for found in tests])
    first, last = dict.fromkeys(models, 1), dict.fromkeys(models, len(models))
    for (one, two), found, p_value in zip(pairs, tests, p_values, strict=True):
        if is_significant(found, p_value):
            better, worse = (one, two) if sign * found.difference.value > 0 else (two, one)
            first[worse] += 1
            last[better] -= 1
    ranks = {
        model: Cell(Estimate(rank, first[model], last[model], metric.cells[model].estimate.n, len(models)))
        for rank, model in enumerate(models, start=1)
    }
    shown = {model: Cell(metric.cells[model].estimate) for model in models}
    caption = (
        f"Brackets behind a rank: the ranks that the model may have. {len(pairs)} pairs are tested, p values "
        "Holm-adjusted over all of them."
    )
    if left_out:
        caption += f" Not ranked: {', '.join(sorted(left_out))}."
    return ExtraTable(
        f"Ranking: {metric.label}",
        models,
        [
            Metric(f"{metric.key}:place", "rank", "place", "less", ranks),
            Metric(f"{metric.key}:value", metric.label, metric.unit, metric.better, shown, level=1),
        ],
        [caption],
    )
