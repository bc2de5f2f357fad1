"""A comparison as tables in the terminal, as many as fit into its width, with captions and conclusions."""

import re
from collections.abc import Collection, Sequence
from itertools import chain
from typing import TYPE_CHECKING

from evals.compare.cells import cell_lines, column_title, legend, paper_value, row_label
from evals.compare.comparison import Comparison
from evals.compare.terminal_chart import chart_lines
from evals.metric import ExtraTable, Metric
from srlm.escape import one_line

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

INDENT = "  "
"""Spaces before the label of a row, for each of its levels."""
FRAME = 4
"""Characters of a table around its first column."""
PADDING = 3
"""Characters around every other column, with the line next to it."""
_WORD = re.compile(r"(?:^\s+)?\S+")  # the first one with the indent before it


def print_comparison(console: "Console", comparison: Comparison, *, chart: bool = False) -> None:
    """Print the tables of a comparison, their captions, and the conclusions; with `chart`, the first metric as one."""
    for table in as_tables(comparison, console.width):
        console.print(table)
    for caption in [*comparison.captions, *legend(comparison.metrics, comparison.extra_tables)]:
        console.print(one_line(caption), style="dim", markup=False)
    print_extra_tables(console, comparison.extra_tables)
    console.print()
    for line in chart_lines(comparison) if chart else []:
        console.print(line, markup=False, no_wrap=True)
    if chart:
        console.print()
    for line in comparison.conclusions:
        console.print(f"- {one_line(line)}", markup=False)


def print_extra_tables(console: "Console", tables: Sequence[ExtraTable]) -> None:
    """Print additional tables with their captions."""
    for extra in tables:
        console.print()
        for table in extra_tables(extra, console.width):
            console.print(table)
        for caption in extra.captions:
            console.print(one_line(caption), style="dim", markup=False)


def as_tables(comparison: Comparison, width: int) -> "list[Table]":
    """Return the models as columns of as many tables as needed for none to be wider than `width` characters."""
    title, not_trusted = f"Comparison with {comparison.baseline}", comparison.untrusted
    return _tables(width, title, comparison.models, comparison.metrics, comparison.baseline, not_trusted)


def extra_tables(extra: ExtraTable, width: int) -> "list[Table]":
    """Return an additional table in as many parts as needed for none to be wider than `width` characters."""
    return _tables(width, extra.title, extra.columns, extra.metrics, extra.baseline)


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
    label_width = _width([line for lines in labels for line in lines])
    tables, chosen, taken = [], list[_Column](), 0
    for one in columns:
        if chosen and FRAME + label_width + taken + one.width + PADDING > width:
            tables.append(_rich_table(title, labels, chosen, width))
            chosen, taken = [], 0
        chosen.append(one)
        taken += one.width + PADDING
    return [*tables, _rich_table(title, labels, chosen, width)] if chosen else tables


class _Column:
    """The title of a model's column and the lines of its cells, metric by metric."""

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
    """Return the lines of a model's cell, one for each label of the metric."""
    cell = cell_lines(metric.cells[model], metric)
    if metric.paper is None:
        return [*cell, *[""] * (lines - len(cell))]
    return [*cell, *[""] * (lines - 1 - len(cell)), paper_value(metric.paper, metric, model)]


def _rich_table(title: str, labels: Sequence[Sequence[str]], columns: Sequence[_Column], width: int) -> "Table":
    """Return a rich table. If even a single column is too wide, lines break between words, or else between letters."""
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
    left = width - FRAME - sum(one.width + PADDING for one in columns)
    of_labels, of_cells = None, None
    if len(columns) == 1 and left < widest:
        of_labels, of_cells = _share_width(width - FRAME - PADDING, [name for name, _ in rows], columns[0])
    table.add_column("", width=of_labels, overflow="fold")
    for one in columns:
        table.add_column(escape(one.head), justify="right", no_wrap=of_cells is None, width=of_cells, overflow="fold")
    if of_cells is None:  # no line breaks, so that the lines of a metric stay aligned in one row
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


def _share_width(available: int, names: Sequence[str], column: _Column) -> tuple[int, int]:
    """Return the widths of the labels and of a single column: their longest words first, then the rest."""
    words = _width([word for name in names for word in _WORD.findall(name)])
    if words + column.words > available:
        words = max(1, min(words, available - min(column.words, available // 2)))
    of_labels = max(words, available - column.width)
    return of_labels, max(1, available - of_labels)
