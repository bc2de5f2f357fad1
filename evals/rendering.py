"""A comparison as tables in the terminal, and the words of one cell, which all formats share (`evals.formats`).

An arrow says what is certain: up for better than the baseline, down for worse; a star is a difference of which neither
can be said, such as one of length.
"""

from collections.abc import Callable, Collection, Sequence
from math import isnan
from typing import TYPE_CHECKING

from evals.comparison import Comparison
from evals.metric import Cell, Metric, Reference, Side
from evals.wording import ALPHA, certain, p_value
from srlm.stats.intervals import Estimate

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


BETTER, WORSE, OTHER = "\N{BLACK UP-POINTING TRIANGLE}", "\N{BLACK DOWN-POINTING TRIANGLE}", "*"
MEANINGS = {
    BETTER: "certainly better than the baseline",
    WORSE: "certainly worse",
    OTHER: "certainly different",
}


def number(value: float, unit: str, signed: bool = False) -> str:
    """A figure in its unit: rates as percent, lengths, counts and Elo whole, others with two digits."""
    if isnan(value):
        return "-"
    if unit == "p":
        return f"{value:.2g}"
    digits = 1 if unit == "%" else 0 if unit in {"chars", "count", "elo", "place"} else 2
    rounded = round(100 * value if unit == "%" else value, digits) + 0.0  # -0.0 becomes 0.0
    return f"{rounded:{'+' if signed else ''}.{digits}f}"


def with_interval(estimate: Estimate, unit: str, signed: bool = False) -> str:
    """A figure with its interval: "51.2 [44.0, 58.4]"; a count with its share: "142 (55.5 %)"."""
    if unit == "count" and estimate.n:
        return f"{number(estimate.value, unit)} ({number(estimate.value / estimate.n, '%')} %)"
    if isnan(estimate.low):
        return number(estimate.value, unit, signed)
    value, low, high = (number(one, unit, signed) for one in (estimate.value, estimate.low, estimate.high))
    return f"{value} [{low}, {high}]"


def cell_lines(cell: Cell, metric: Metric) -> list[str]:
    """What stands in one cell: the figure, and below it the difference to the baseline."""
    lines = [with_interval(cell.estimate, metric.unit)]
    if cell.paired is not None:
        difference = with_interval(cell.paired.difference, metric.unit, signed=True)
        lines.append(f"{mark(cell, metric)} {difference} p{p_value(cell.paired.p_value, '')}".strip())
    return lines


def mark(cell: Cell, metric: Metric) -> str:
    """An arrow up where a model is certainly better than the baseline, down where it is worse; nothing if neither."""
    if cell.paired is None or not certain(cell.paired):
        return ""
    if metric.better == "neither":
        return OTHER
    return BETTER if (cell.paired.difference.value > 0) == (metric.better == "more") else WORSE


def legend(comparison: Comparison) -> list[str]:
    """What the marks that a comparison has mean; nothing where it has none."""
    every = [*comparison.metrics, *(metric for side in comparison.sides for metric in side.metrics)]
    seen = {mark(cell, metric) for metric in every for cell in metric.cells.values()}
    known = [f"{sign} {meaning}" for sign, meaning in MEANINGS.items() if sign in seen]
    return [f"{', '.join(known)}: p below {ALPHA:g}, and an interval without 0."] if known else []


def printed(reference: Reference, metric: Metric, model: str) -> str:
    """What the paper printed for a model, with the paper's own digits; "-" where it has nothing."""
    value = reference.values.get(model)
    return "-" if value is None else f"{100 * value if metric.unit == '%' else value:.6g}"


def label(metric: Metric) -> str:
    """A row's name with its unit."""
    unit = {"%": ", %", "chars": ", characters", "grade": ", 1-10"}.get(metric.unit, "")
    return f"{metric.label}{unit}"


def print_comparison(console: "Console", comparison: Comparison) -> None:
    """Tables as wide as the console, what stands under them, and what they say in words."""
    for table in as_tables(comparison, console.width):
        console.print(table)
    for caption in [*comparison.captions, *legend(comparison)]:
        console.print(caption, style="dim", markup=False)
    print_sides(console, comparison.sides)
    console.print()
    for line in comparison.words:
        console.print(f"- {line}", markup=False)


def print_sides(console: "Console", sides: Sequence[Side]) -> None:
    """Tables beside a comparison, with what stands under them."""
    for side in sides:
        console.print()
        for table in side_tables(side, console.width):
            console.print(table)
        for caption in side.captions:
            console.print(caption, style="dim", markup=False)


def as_tables(comparison: Comparison, width: int) -> "list[Table]":
    """The models as columns of as many tables as are needed for none to be wider than `width` characters."""
    return _within(width, list(comparison.models), lambda models: as_table(comparison, models))


def side_tables(side: Side, width: int) -> "list[Table]":
    """The same of a table beside the comparison."""
    return _within(width, list(side.columns), lambda columns: _table(side.title, columns, side.metrics, side.baseline))


def _within(width: int, models: list[str], draw: "Callable[[Sequence[str]], Table]") -> "list[Table]":
    from rich.console import Console

    console = Console(width=10_000)
    tables: list[Table] = []
    while models:
        tried = {count: draw(models[:count]) for count in range(len(models), 0, -1)}
        count = next((count for count, table in tried.items() if console.measure(table).maximum <= width), 1)
        tables.append(tried[count])
        models = models[count:]
    return tables


def as_table(comparison: Comparison, models: Sequence[str]) -> "Table":
    """A rich table, models as columns."""
    title, not_trusted = f"Comparison with {comparison.baseline}", comparison.distrusted
    return _table(title, models, comparison.metrics, comparison.baseline, not_trusted)


def _table(
    title: str,
    models: Sequence[str],
    metrics: Sequence[Metric],
    baseline: str | None = None,
    distrusted: Collection[str] = (),
) -> "Table":
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=escape(title), title_justify="left", caption_justify="left", show_lines=False)
    table.add_column("")
    for model in models:
        table.add_column(escape(column(model, baseline, distrusted)), justify="right", no_wrap=True)
    for metric in metrics:
        indent = " " * (len(metric.label) - len(metric.label.lstrip()))
        labels, cells = [label(metric)], [cell_lines(metric.cells[model], metric) for model in models]
        if any(metric.cells[model].paired for model in models):
            labels.append(f"{indent}  difference to {baseline}")
        if metric.paper is not None:
            for model, cell in zip(models, cells, strict=True):
                cell.extend([""] * (len(labels) - len(cell)))
                cell.append(printed(metric.paper, metric, model))
            labels.append(f"{indent}  the paper's, {metric.paper.where}")
        table.add_row(escape("\n".join(labels)), *(escape("\n".join(lines)) for lines in cells))
    return table


def column(model: str, baseline: str | None, distrusted: Collection[str] = ()) -> str:
    """A model's name over its column."""
    name = f"{model} (baseline)" if model == baseline else model
    return f"{name} (not to be trusted)" if model in distrusted else name
