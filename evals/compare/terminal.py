"""A comparison as tables in the terminal, and the words of one cell, which all formats share (`evals.compare.export`).

An arrow says what is certain: up for better than the baseline, down for worse; a star is a difference of which neither
can be said, such as one of length.
"""

import re
from collections.abc import Collection, Sequence
from itertools import chain
from math import isnan
from typing import TYPE_CHECKING

from evals.compare.comparison import Comparison
from evals.compare.sentences import ALPHA, certain, p_value
from evals.metric import Cell, Metric, Reference, Side
from srlm.escape import one_line
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
        console.print(one_line(caption), style="dim", markup=False)
    print_sides(console, comparison.sides)
    console.print()
    for line in comparison.words:
        console.print(f"- {one_line(line)}", markup=False)


def print_sides(console: "Console", sides: Sequence[Side]) -> None:
    """Tables beside a comparison, with what stands under them."""
    for side in sides:
        console.print()
        for table in side_tables(side, console.width):
            console.print(table)
        for caption in side.captions:
            console.print(one_line(caption), style="dim", markup=False)


def as_tables(comparison: Comparison, width: int) -> "list[Table]":
    """The models as columns of as many tables as are needed for none to be wider than `width` characters."""
    title, not_trusted = f"Comparison with {comparison.baseline}", comparison.distrusted
    return _tables(width, title, comparison.models, comparison.metrics, comparison.baseline, not_trusted)


def side_tables(side: Side, width: int) -> "list[Table]":
    """The same of a table beside the comparison."""
    return _tables(width, side.title, side.columns, side.metrics, side.baseline)


def _tables(
    width: int,
    title: str,
    models: Sequence[str],
    metrics: Sequence[Metric],
    baseline: str | None = None,
    distrusted: Collection[str] = (),
) -> "list[Table]":
    labels = [_row_labels(metric, models, baseline) for metric in metrics]
    columns = [
        _Column(
            one_line(column(model, baseline, distrusted)),
            [_cells(metric, model, len(names)) for metric, names in zip(metrics, labels, strict=True)],
        )
        for model in models
    ]
    beside = _width([line for lines in labels for line in lines])
    tables, chosen, taken = [], list[_Column](), 0
    for one in columns:
        if chosen and FRAME + beside + taken + one.width + PADDING > width:
            tables.append(_drawn(title, labels, chosen, width))
            chosen, taken = [], 0
        chosen.append(one)
        taken += one.width + PADDING
    return [*tables, _drawn(title, labels, chosen, width)] if chosen else tables


_WORD = re.compile(r"(?:^\s+)?\S+")  # the first one with the indent before it
FRAME = 4
"""Characters of a table around its first column."""
PADDING = 3
"""... and around each other one, with the line beside it."""


class _Column:
    """What stands over a model's column and, metric by metric, in it."""

    def __init__(self, head: str, cells: list[list[str]]) -> None:
        self.head, self.cells = head, cells
        self.width = _width([head, *(line for lines in cells for line in lines)])
        self.words = _width([word for text in (head, *chain(*cells)) for word in text.split()])


def _width(texts: Sequence[str]) -> int:
    from rich.cells import cell_len

    return max(map(cell_len, texts), default=0)


def _row_labels(metric: Metric, models: Sequence[str], baseline: str | None) -> list[str]:
    indent = " " * (len(metric.label) - len(metric.label.lstrip()))
    labels = [label(metric)]
    if any(metric.cells[model].paired for model in models):
        labels.append(f"{indent}  difference to {baseline}")
    if metric.paper is not None:
        labels.append(f"{indent}  the paper's, {metric.paper.where}")
    return [one_line(text) for text in labels]


def _cells(metric: Metric, model: str, lines: int) -> list[str]:
    """What stands in a column beside the labels of a metric."""
    cell = cell_lines(metric.cells[model], metric)
    if metric.paper is None:
        return [*cell, *[""] * (lines - len(cell))]
    return [*cell, *[""] * (lines - 1 - len(cell)), printed(metric.paper, metric, model)]


def _drawn(title: str, labels: Sequence[Sequence[str]], columns: Sequence[_Column], width: int) -> "Table":
    """A rich table. One that is too wide with a single column is broken between words, and between letters at last."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=escape(one_line(title)), title_justify="left", caption_justify="left", show_lines=False)
    # A line of which no column has anything is left out, such as the difference of the baseline to itself.
    blocks = [
        [(name, texts) for line, name in enumerate(names) if any(texts := [one.cells[place][line] for one in columns])]
        for place, names in enumerate(labels)
    ]
    rows = [line for block in blocks for line in block]
    widest = _width([name for name, _ in rows])
    room = width - FRAME - sum(one.width + PADDING for one in columns)
    beside, of_cells = None, None
    if len(columns) == 1 and room < widest:
        beside, of_cells = _shared(width - FRAME - PADDING, [name for name, _ in rows], columns[0])
    table.add_column("", width=beside, overflow="fold")
    for one in columns:
        table.add_column(escape(one.head), justify="right", no_wrap=of_cells is None, width=of_cells, overflow="fold")
    if of_cells is None:  # nothing is broken, so that the lines of a metric stand beside each other in one row
        rows = [
            (
                "\n".join(name for name, _ in block),
                ["\n".join(texts) for texts in zip(*(one for _, one in block), strict=True)],
            )
            for block in blocks
        ]
    for name, cells in rows:
        table.add_row(escape(name), *map(escape, cells))
    return table


def _shared(room: int, names: Sequence[str], column: _Column) -> tuple[int, int]:
    """Widths of labels and of one column that have to share `room`: their longest words first, then what is left."""
    words = _width([word for name in names for word in _WORD.findall(name)])
    if words + column.words > room:
        words = max(1, min(words, room - min(column.words, room // 2)))
    beside = max(words, room - column.width)
    return beside, max(1, room - beside)


def column(model: str, baseline: str | None, distrusted: Collection[str] = ()) -> str:
    """A model's name over its column."""
    name = f"{model} (baseline)" if model == baseline else model
    return f"{name} (not to be trusted)" if model in distrusted else name
