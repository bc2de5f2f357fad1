"""A comparison as a pandas data frame: a row for each metric and model. Left out: the additional tables."""

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from evals.compare.comparison import Comparison
from srlm.errors import UsageError

COLUMNS = (
    *("suite", "metric", "label", "unit", "better", "model", "value", "low", "high", "n", "clusters"),
    *("difference", "difference_low", "difference_high", "p_holm"),
)


def as_data_frame(comparison: Comparison) -> Any:
    """Return the frame; rates as fractions, undefined values as NaN, no difference in the baseline's rows.

    Raises:
        UsageError: pandas is not installed.
    """
    if find_spec("pandas") is None:
        raise UsageError("to_pandas() needs the library pandas, which is not installed here: pip install pandas")
    rows: list[list[Any]] = []
    for metric in comparison.metrics:
        for model in comparison.models:
            one, paired = metric.cells[model].estimate, metric.cells[model].paired
            row = [metric.suite, metric.key, metric.label.strip(), metric.unit, metric.better, model]
            row += [one.value, one.low, one.high, one.n, one.clusters]
            if paired is not None:
                gap = paired.difference
                row += [gap.value, gap.low, gap.high, paired.p_value]
            rows.append([*row, *[None] * (len(COLUMNS) - len(row))])
    return import_module("pandas").DataFrame(rows, columns=[*COLUMNS])
