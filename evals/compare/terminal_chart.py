"""The first metric of a comparison as a chart of characters: a line for each model, its value in its interval.

    puzzles solved, %  0        25        50        75       100
    M1                                     --o--
    M2                                                  -o-

The report has the same as a picture. Left out: all metrics but the first in percent.
"""

from math import isnan

from evals.compare.cells import row_label
from evals.compare.comparison import Comparison
from evals.metric import headlines
from srlm.escape import one_line

COLUMNS = 61
"""Characters of the scale from 0 to 100 %."""
TICKS = (0, 25, 50, 75, 100)


def chart_lines(comparison: Comparison) -> list[str]:
    """Return the lines of the chart of the first headline in percent; none, if there is no such metric."""
    metric = next((one for one in headlines(comparison.metrics) if one.unit == "%"), None)
    if metric is None:
        return []
    title = row_label(metric)
    names = [one_line(model) for model in comparison.models]
    margin = max(len(name) for name in (title, *names)) + 2
    lines = [f"{title:<{margin}}{_scale()}"]
    for model, name in zip(comparison.models, names, strict=True):
        estimate = metric.cells[model].estimate
        lines.append(f"{name:<{margin}}{_row(estimate.value, estimate.low, estimate.high)}".rstrip())
    return lines


def _scale() -> str:
    """Return the line with the numbers of the scale, each ending above its place, the first beginning there."""
    line = ""
    for tick in TICKS:
        line = f"{tick}" if not line else f"{line}{tick:>{_place(tick / 100) + 1 - len(line)}}"
    return line


def _row(value: float, low: float, high: float) -> str:
    if isnan(value):
        return ""
    line = [" "] * COLUMNS
    if not isnan(low):
        line[_place(low) : _place(high) + 1] = "-" * (_place(high) + 1 - _place(low))
    line[_place(value)] = "o"
    return "".join(line)


def _place(share: float) -> int:
    return round(min(1.0, max(0.0, share)) * (COLUMNS - 1))
