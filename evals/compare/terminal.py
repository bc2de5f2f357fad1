"""A comparison as tables in the terminal, as many as fit into its width."""

import re
from collections.abc import Collection, Sequence
from itertools import chain
from typing import TYPE_CHECKING

from evals.compare.cells import cell_lines, column_title, legend, paper_value, row_label
from evals.compare.comparison import Comparison
from evals.metric import ExtraTable, Metric
from srlm.escape import one_line

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def print_comparison(console: "Console", comparison: Comparison) -> None:
    """Tables as wide as the console, what stands under them, and what they say in words."""
    for table in as_tables(comparison, console.width):
        console.print(table)
    for caption in [*comparison.captions, *legend(comparison.metrics, comparison.sides)]:
        console.print(one_line(caption), style="dim", markup=False)
    print_sides(console, comparison.sides)
    console.print()
    for line in comparison.words:
        console.print(f"- {one_line(line)}", markup=False)


def print_sides(console: "Console", sides: Sequence[ExtraTable]) -> None:
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


def side_tables(side: ExtraTable, width: int) -> "list[Table]":
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
            one_line(column_title(model, baseline, distrusted)),
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


INDENT = "  "
"""Spaces before the label of a row, for each of its levels."""
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
    indent = INDENT * metric.level
    labels = [f"{indent}{row_label(metric)}"]
    if any(metric.cells[model].paired for model in models):
        labels.append(f"{indent}{INDENT}difference to {baseline}")
    if metric.paper is not None:
        labels.append(f"{indent}{INDENT}the paper's, {metric.paper.where}")
    return [one_line(text) for text in labels]


def _cells(metric: Metric, model: str, lines: int) -> list[str]:
    """What stands in a column beside the labels of a metric."""
    cell = cell_lines(metric.cells[model], metric)
    if metric.paper is None:
        return [*cell, *[""] * (lines - len(cell))]
    return [*cell, *[""] * (lines - 1 - len(cell)), paper_value(metric.paper, metric, model)]


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
