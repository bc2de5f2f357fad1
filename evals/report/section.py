"""Sections of the page: their texts, figures and tables. Texts are escaped by the template, never by hand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evals.compare.cells import format_estimate, format_value, paper_value, row_label
from evals.metric import Cell as MetricCell
from evals.metric import Metric, ModelPair, is_significant
from evals.note import Note
from evals.sample import link

Facets = dict[str, str | Sequence[str]]
"""Facets of samples, as a link names them."""


@dataclass(frozen=True)
class Cell:
    """A table cell: a value, lines below it, and the address that it links to. `strong` is for significant ones."""

    text: str
    below: str = ""
    href: str = ""
    strong: bool = False


@dataclass(frozen=True)
class Row:
    """A table row; `indented` if it belongs to a row above."""

    name: str
    cells: tuple[Cell, ...]
    indented: bool = False


@dataclass(frozen=True)
class Table:
    """A table of values. `corner` is the title of the column of row names."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    corner: str = ""


@dataclass(frozen=True)
class LegendKey:
    """An entry of a legend: a variable of the page's style for the colour, a shape, and a name."""

    variable: str
    shape: str
    name: str


@dataclass(frozen=True)
class Figure:
    """A figure: its SVG, legend and note, and tables with its values."""

    title: str
    svg: str
    keys: Sequence[LegendKey] = ()
    note: str = ""
    tables: Sequence[Table] = ()


@dataclass(frozen=True)
class Conclusion:
    """A sentence on a difference; `significant` is None for sentences on something else."""

    text: str
    significant: bool | None = None


@dataclass(frozen=True)
class Section:
    """A part of the page.

    `missing` is given where the run lacks its data: the reason, and the command that makes them. `facts` are names with
    values, `full_text` is shown on demand.
    """

    id: str
    title: str
    lead: str = ""
    figures: Sequence[Figure] = ()
    tables: Sequence[Table] = ()
    notes: Sequence[Note] = ()
    conclusions: Sequence[Conclusion] = ()
    missing: str = ""
    command: str = ""
    facts: Sequence[tuple[str, str]] = ()
    full_text: str = ""


def metric_table(
    title: str,
    metrics: Sequence[Metric],
    columns: Sequence[str],
    baseline: str | None,
    suite: str,
    facets: Mapping[str, Facets] | None = None,
    pairs: Mapping[str, ModelPair] | None = None,
) -> Table:
    """Return a table with metrics as rows and models as columns; each cell links to its samples.

    Args:
        title: of the table.
        metrics: the rows.
        columns: models, or pairs of them.
        baseline: the model that the others are compared with, if there is one.
        suite: of the samples; without one no cell has a link.
        facets: of the samples of a row, by the metric's key, where the row is not about all of the suite.
        pairs: the models of the columns that are pairs.
    """
    rows = []
    for metric in metrics:
        cells = []
        for column in columns:
            cell = metric.cells[column]
            of = pairs[column]._asdict() if pairs and column in pairs else {"model": column}
            has_samples = suite and cell.estimate.n and not (metric.unit == "count" and not cell.estimate.value)
            href = link(suite=suite, **of, **(facets or {}).get(metric.key, {})) if has_samples else ""
            significant = cell.paired is not None and is_significant(cell.paired)
            below = "\n".join(_lines_below(cell, metric, column))
            cells.append(Cell(format_estimate(cell.estimate, metric.unit), below, href, significant))
        rows.append(Row(row_label(metric), tuple(cells), metric.level > 0))
    names = tuple(f"{one} (baseline)" if one == baseline else one for one in columns)
    return Table(title, names, tuple(rows))


def _lines_below(cell: MetricCell, metric: Metric, column: str) -> list[str]:
    """Return the difference to the baseline and the paper's value, where there are any."""
    lines = []
    if cell.paired is not None and cell.paired.difference.n:
        star = " *" if is_significant(cell.paired) else ""
        difference = format_estimate(cell.paired.difference, metric.unit, signed=True)
        lines.append(f"{difference}  p {cell.paired.p_value:.2g}{star}")
    if metric.paper is not None and column in metric.paper.values:
        lines.append(f"paper {paper_value(metric.paper, metric, column)}")
    return lines


def share(value: float | None, *, signed: bool = False) -> str:
    """Return a rate in percent, or a dash for None."""
    return "–" if value is None else f"{format_value(value, '%', signed=signed)} %"
