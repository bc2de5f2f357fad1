"""What a section of the page is made of. Words come from results and are escaped by the template, never by hand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evals.compare.cells import format_estimate, format_value, paper_value, row_label
from evals.metric import Metric, ModelPair, is_significant
from evals.sample import link

Facets = dict[str, str | Sequence[str]]
"""Of samples, as a link names them."""


@dataclass(frozen=True)
class Cell:
    """One cell of a table: a figure, a line below it, and where it leads."""

    text: str
    below: str = ""
    href: str = ""
    strong: bool = False


@dataclass(frozen=True)
class Row:
    """A row by its name; `deep` rows stand in."""

    name: str
    cells: tuple[Cell, ...]
    deep: bool = False


@dataclass(frozen=True)
class Table:
    """Figures in rows and columns. `corner` says what the rows are."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    corner: str = ""


@dataclass(frozen=True)
class Key:
    """What a colour and a shape of a drawing stand for."""

    variable: str
    shape: str
    name: str


@dataclass(frozen=True)
class Figure:
    """A drawing: SVG of our own making, what its colours mean, what has to be said of it, and its numbers."""

    title: str
    svg: str
    keys: Sequence[Key] = ()
    note: str = ""
    tables: Sequence[Table] = ()


@dataclass(frozen=True)
class Finding:
    """A sentence on a difference, and whether it is more than chance."""

    text: str
    certain: bool | None = None


@dataclass(frozen=True)
class Section:
    """A part of the page. `missing` is said where there is nothing to show: what is not there, and the command.

    `facts` are names with values, `whole` a text that is shown on demand.
    """

    id: str
    title: str
    lead: str = ""
    figures: Sequence[Figure] = ()
    tables: Sequence[Table] = ()
    notes: Sequence[str] = ()
    findings: Sequence[Finding] = ()
    missing: str = ""
    command: str = ""
    facts: Sequence[tuple[str, str]] = ()
    whole: str = ""


def metric_table(
    title: str,
    metrics: Sequence[Metric],
    columns: Sequence[str],
    baseline: str | None,
    suite: str,
    facets: dict[str, Facets] | None = None,
    pairs: Mapping[str, ModelPair] | None = None,
) -> Table:
    """Metrics as rows and models as columns; each cell leads to what it was counted on.

    `facets` are those of a row by the metric's key, where it is not of all prompts of the suite. Without a suite
    no cell leads anywhere. `pairs` are the models of the columns that are pairs.
    """
    rows = []
    for metric in metrics:
        cells = []
        for column in columns:
            cell = metric.cells[column]
            below = []
            if cell.paired is not None and cell.paired.difference.n:
                gap, p_value = cell.paired.difference, cell.paired.p_value
                star = " *" if is_significant(cell.paired) else ""
                below.append(f"{format_estimate(gap, metric.unit, signed=True)}  p {p_value:.2g}{star}")
            if metric.paper is not None and column in metric.paper.values:
                below.append(f"paper {paper_value(metric.paper, metric, column)}")
            sure = cell.paired is not None and is_significant(cell.paired)
            counted = suite and cell.estimate.n and not (metric.unit == "count" and not cell.estimate.value)
            href = (
                link(suite=suite, **_models_of(column, pairs or {}), **(facets or {}).get(metric.key, {}))
                if counted
                else ""
            )
            cells.append(Cell(format_estimate(cell.estimate, metric.unit), "\n".join(below), href, sure))
        rows.append(Row(row_label(metric), tuple(cells), metric.level > 0))
    names = tuple(f"{one} (baseline)" if one == baseline else one for one in columns)
    return Table(title, names, tuple(rows))


def _models_of(column: str, pairs: Mapping[str, ModelPair]) -> dict[str, str]:
    """Return the facets of the model of a column, or of its pair of models."""
    return pairs[column]._asdict() if column in pairs else {"model": column}


def share(value: float | None, *, signed: bool = False) -> str:
    """A rate as people read it, or a dash."""
    return "–" if value is None else f"{format_value(value, '%', signed=signed)} %"
