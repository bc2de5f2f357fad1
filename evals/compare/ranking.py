"""Models in the order of a figure, each with the places that it may have: pairs that cannot be told apart share them.

A table against a baseline does not say which of the others are apart. Here every two models are tested against each
other, and the p values are adjusted over all pairs (Holm): a model stands behind those that are certainly better, and
before those that are certainly worse.
"""

from collections.abc import Collection
from itertools import combinations
from math import isnan

from evals.metric import Cell, ExtraTable, Metric, is_significant
from srlm.stats.intervals import Estimate
from srlm.stats.paired import holm

FEWEST = 4
"""Models that are ranked: of fewer the table against the baseline says nearly all."""


def ranking(metric: Metric, left_out: Collection[str] = ()) -> ExtraTable | None:
    """The ranking by a figure; None where it is not tested, has no better and worse, or models are few.

    Args:
        metric: with a test of two models.
        left_out: models whose figures cannot be trusted.
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
    places = {
        model: Cell(Estimate(place, first[model], last[model], metric.cells[model].estimate.n, len(models)))
        for place, model in enumerate(models, start=1)
    }
    shown = {model: Cell(metric.cells[model].estimate) for model in models}
    caption = (
        f"Brackets behind a place: those that the model may have. {len(pairs)} pairs are tested, p values "
        "Holm-adjusted over all of them."
    )
    if left_out:
        caption += f" Not ranked: {', '.join(sorted(left_out))}."
    return ExtraTable(
        f"Ranking: {metric.label}",
        models,
        [
            Metric(f"{metric.key}:place", "place", "place", "less", places),
            Metric(f"{metric.key}:value", metric.label, metric.unit, metric.better, shown, level=1),
        ],
        [caption],
    )
