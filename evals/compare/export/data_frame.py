"""Comparisons as a pandas data frame: a row for each metric and model. Left out: the additional tables."""

from collections.abc import Sequence
from itertools import product
from typing import Any

from evals.compare.comparison import Comparison
from srlm.optional_deps import data_frame

COLUMNS = (
    *("suite", "metric", "label", "unit", "better", "model", "value", "low", "high", "n", "clusters"),
    *("difference", "difference_low", "difference_high", "p_holm"),
)


def as_data_frame(comparisons: Sequence[Comparison]) -> Any:
    """Return one frame of all; rates as fractions, undefined values as NaN, no difference in the baseline's rows.

    Raises:
        UsageError: pandas is not installed.
    """
    rows: list[list[Any]] = []
    for comparison in comparisons:
        for metric, model in product(comparison.metrics, comparison.models):
            one, paired = metric.cells[model].estimate, metric.cells[model].paired
            row: list[Any] = [metric.suite, metric.key, metric.label.strip(), metric.unit, metric.better, model]
            row += [one.value, one.low, one.high, one.n, one.clusters]
            if paired is not None:
                gap = paired.difference
                row += [gap.value, gap.low, gap.high, paired.p_value]
            rows.append([*row, *[None] * (len(COLUMNS) - len(row))])
    return data_frame(rows, COLUMNS)
