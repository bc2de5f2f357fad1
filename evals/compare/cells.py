"""Text of table cells: values with their unit, intervals, p values and significance marks, the same in all formats.

An arrow marks a significant difference to the baseline, up for better and down for worse; a star marks a significant
difference that is neither, such as one of length.
"""

from collections.abc import Collection
from math import isnan

from evals.metric import ALPHA, Cell, ExtraTable, Metric, Reference, Unit, is_significant
from srlm.stats.intervals import Estimate

BETTER, WORSE, OTHER = "\N{BLACK UP-POINTING TRIANGLE}", "\N{BLACK DOWN-POINTING TRIANGLE}", "*"
MEANINGS = {
    BETTER: "significantly better than the baseline",
    WORSE: "significantly worse",
    OTHER: "significantly different",
}
UNIT_NAMES: dict[Unit, str] = {"%": "%", "chars": "characters", "grade": "1-10"}
"""Units that are printed behind the label of a row."""

SMALLEST_P = 1e-15
"""Smaller p values are not distinguished by any of the tests."""

NOT_SIMULTANEOUS = (
    "Each 95 % interval is of one difference alone; p values are Holm-adjusted over several differences. An interval "
    f"can exclude 0 where p is {ALPHA:g} or more: such a difference is not significant."
)


def format_value(value: float, unit: Unit, *, signed: bool = False) -> str:
    """Return a value in its unit: rates in percent, lengths, counts and Elo whole, others with two digits."""
    if isnan(value):
        return "-"
    if unit == "p":
        return f"{value:.2g}"
    digits = 1 if unit == "%" else 0 if unit in {"chars", "count", "elo", "place"} else 2
    rounded = round(100 * value if unit == "%" else value, digits) + 0.0  # -0.0 becomes 0.0
    return f"{rounded:{'+' if signed else ''}.{digits}f}"


def format_estimate(estimate: Estimate, unit: Unit, *, signed: bool = False) -> str:
    """Return a value with its interval: "51.2 [44.0, 58.4]"; a count with its share: "142 (55.5 %)"."""
    if unit == "count" and estimate.n:
        return f"{format_value(estimate.value, unit)} ({format_value(estimate.value / estimate.n, '%')} %)"
    if isnan(estimate.low):
        return format_value(estimate.value, unit, signed=signed)
    value, low, high = (format_value(one, unit, signed=signed) for one in (estimate.value, estimate.low, estimate.high))
    return f"{value} [{low}, {high}]"


def format_p(p: float, space: str) -> str:
    """Return a p value with its sign, and `space` between them: "= 0.031", "< 1e-15"."""
    if isnan(p):
        return f"={space}-"
    return f"<{space}{SMALLEST_P:.0e}" if p < SMALLEST_P else f"={space}{p:.2g}"


def cell_lines(cell: Cell, metric: Metric) -> list[str]:
    """Return the lines of one cell: the value, and below it the difference to the baseline."""
    lines = [format_estimate(cell.estimate, metric.unit)]
    if cell.paired is not None:
        difference = format_estimate(cell.paired.difference, metric.unit, signed=True)
        lines.append(f"{significance_mark(cell, metric)} {difference} p{format_p(cell.paired.p_value, '')}".strip())
    return lines


def significance_mark(cell: Cell, metric: Metric) -> str:
    """Return the mark of a significant difference to the baseline; nothing for any other cell."""
    if cell.paired is None or not is_significant(cell.paired):
        return ""
    if metric.better == "neither":
        return OTHER
    return BETTER if (cell.paired.difference.value > 0) == (metric.better == "more") else WORSE


def legend(metrics: Collection[Metric], tables: Collection[ExtraTable]) -> list[str]:
    """Explain the marks that these rows have, and intervals next to adjusted p values."""
    every = [*metrics, *(metric for table in tables for metric in table.metrics)]
    seen = {significance_mark(cell, metric) for metric in every for cell in metric.cells.values()}
    known = [f"{mark} {meaning}" for mark, meaning in MEANINGS.items() if mark in seen]
    lines = [f"{', '.join(known)}: p below {ALPHA:g}, and an interval without 0."] if known else []
    return [*lines, *interval_captions(metrics, tables)]


def interval_captions(metrics: Collection[Metric], tables: Collection[ExtraTable]) -> list[str]:
    """Explain how an interval and its p value can disagree, where p values are adjusted over several tests."""
    # The rows of a comparison are adjusted one by one, those of a breakdown all together.
    families = [[metric] for metric in metrics] + [table.metrics for table in tables]
    return [NOT_SIMULTANEOUS] if any(_tests(one) > 1 for one in families) else []


def _tests(metrics: Collection[Metric]) -> int:
    """Count the p values of these rows."""
    pairs = [cell.paired for metric in metrics for cell in metric.cells.values() if cell.paired]
    return sum(not isnan(one.p_value) for one in pairs)


def paper_value(reference: Reference, metric: Metric, model: str) -> str:
    """Return the paper's value for a model with the paper's own digits; "-" where it has none."""
    value = reference.values.get(model)
    return "-" if value is None else f"{100 * value if metric.unit == '%' else value:.6g}"


def row_label(metric: Metric) -> str:
    """Return the label of a row with its unit."""
    unit = UNIT_NAMES.get(metric.unit)
    return f"{metric.label}, {unit}" if unit else metric.label


def column_title(model: str, baseline: str | None, distrusted: Collection[str] = ()) -> str:
    """Return the title of a model's column."""
    name = f"{model} (baseline)" if model == baseline else model
    return f"{name} (not to be trusted)" if model in distrusted else name
