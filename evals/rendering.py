"""A comparison as a table in the terminal, Markdown, CSV or JSON. The JSON is stable: docs/formats.md describes it."""

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from math import isfinite, isnan
from typing import TYPE_CHECKING, Any

from evals.comparison import Comparison
from evals.metric import Cell, Metric, Reference, Side
from evals.wording import certain
from srlm.records import without_nan
from srlm.stats.intervals import Estimate

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


UNITS = {
    "%": "fraction",
    "chars": "characters",
    "grade": "grade",
    "elo": "elo",
    "count": "count",
    "p": "p",
    "number": "number",
}
"""How the JSON calls them; a metric without a unit is a correlation."""


def number(value: float, unit: str, signed: bool = False) -> str:
    """A figure in its unit: rates as percent, lengths, counts and Elo whole, others with two digits."""
    if isnan(value):
        return "-"
    sign = "+" if signed else ""
    if unit == "%":
        return f"{100 * value:{sign}.1f}"
    if unit == "p":
        return f"{value:.2g}"
    return f"{value:{sign}.0f}" if unit in {"chars", "count", "elo"} else f"{value:{sign}.2f}"


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
        star = "*" if certain(cell.paired) else ""
        p_value = "-" if isnan(cell.paired.p_value) else f"{cell.paired.p_value:.2g}"
        lines.append(f"{with_interval(cell.paired.difference, metric.unit, signed=True)} p={p_value}{star}")
    return lines


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
    for caption in comparison.captions:
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
    return _table(f"Comparison with {comparison.baseline}", models, comparison.metrics, comparison.baseline)


def _table(title: str, models: Sequence[str], metrics: Sequence[Metric], baseline: str | None = None) -> "Table":
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=escape(title), title_justify="left", caption_justify="left", show_lines=False)
    table.add_column("")
    for model in models:
        table.add_column(escape(_column(model, baseline)), justify="right", no_wrap=True)
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


def _column(model: str, baseline: str | None) -> str:
    return f"{model} (baseline)" if model == baseline else model


def as_markdown(comparison: Comparison) -> str:
    """A Markdown table with its captions, the tables beside it, and its reading."""
    lines = [
        *_markdown(comparison.models, comparison.metrics, comparison.baseline),
        "",
        *(f"{one}\n" for one in comparison.captions),
    ]
    for side in comparison.sides:
        lines += [f"**{side.title}**\n", *_markdown(side.columns, side.metrics, side.baseline), ""]
        lines += [f"{one}\n" for one in side.captions]
    return "\n".join([*lines, *(f"- {line}" for line in comparison.words)])


def _markdown(models: Sequence[str], metrics: Sequence[Metric], baseline: str | None) -> list[str]:
    names = [_in_cell(_column(model, baseline)) for model in models]
    lines = ["| | " + " | ".join(names) + " |", "|---|" + "---:|" * len(models)]
    for metric in metrics:
        cells = [" <br> ".join(cell_lines(metric.cells[model], metric)) for model in models]
        lines.append(f"| {_in_cell(label(metric).strip())} | " + " | ".join(cells) + " |")
        if metric.paper is not None:
            beside = [printed(metric.paper, metric, model) for model in models]
            lines.append(f"| *the paper's, {metric.paper.where}* | " + " | ".join(beside) + " |")
    return lines


def _in_cell(text: str) -> str:
    """A name in a Markdown table, where a bar would end the cell."""
    return text.replace("|", "\\|")


def as_csv(comparison: Comparison) -> str:
    """One line per metric and model; rates as fractions. Lines of a table beside the comparison have no baseline."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    every = [*comparison.metrics, *(metric for side in comparison.sides for metric in side.metrics)]
    columns = ["metric", "model", "baseline", "value", "low", "high", "n", "clusters"]
    columns += ["difference", "difference_low", "difference_high", "p_holm"]
    columns += ["paper", "paper_where"] if any(one.paper for one in every) else []
    writer.writerow(columns)
    rows = [(metric, model, comparison.baseline) for metric in comparison.metrics for model in comparison.models]
    for side in comparison.sides:
        rows += [(metric, column, side.baseline or "") for metric in side.metrics for column in side.columns]
    for metric, model, baseline in rows:
        cell = metric.cells[model]
        one = cell.estimate
        row = [metric.key, model, baseline, one.value, one.low, one.high, one.n, one.clusters]
        if cell.paired is not None:
            gap = cell.paired.difference
            row += [gap.value, gap.low, gap.high, cell.paired.p_value]
        else:
            row += ["", "", "", ""]
        if columns[-1] == "paper_where":
            row += [metric.paper.values.get(model, ""), metric.paper.where] if metric.paper else ["", ""]
        writer.writerow(["" if isinstance(value, float) and isnan(value) else value for value in row])
    return out.getvalue()


def as_json(comparison: Comparison) -> str:
    """The whole comparison; rates as fractions, undefined figures null."""

    def estimate(one: Estimate) -> dict[str, Any]:
        return {
            "value": _finite(one.value),
            "low": _finite(one.low),
            "high": _finite(one.high),
            "n": one.n,
            "clusters": one.clusters,
        }

    def cell(one: Cell) -> dict[str, Any]:
        data: dict[str, Any] = estimate(one.estimate)
        if one.paired is not None:
            data["difference"] = {
                **estimate(one.paired.difference),
                "p_holm": _finite(one.paired.p_value),
                "wins": one.paired.wins,
                "ties": one.paired.ties,
                "losses": one.paired.losses,
            }
        return data

    def rows(metrics: Sequence[Metric], models: Sequence[str]) -> list[dict[str, Any]]:
        return [
            {
                "key": metric.key,
                "label": metric.label.strip(),
                "unit": UNITS.get(metric.unit, "correlation"),
                "better": metric.better,
                "models": {model: cell(metric.cells[model]) for model in models},
                **({"paper": {"where": metric.paper.where, "models": metric.paper.values}} if metric.paper else {}),
            }
            for metric in metrics
        ]

    data = {
        "schema": 1,
        "baseline": comparison.baseline,
        "models": comparison.models,
        "metrics": rows(comparison.metrics, comparison.models),
        "captions": comparison.captions,
        "words": comparison.words,
        "sides": [
            {
                "title": side.title,
                "columns": side.columns,
                "baseline": side.baseline,
                "metrics": rows(side.metrics, side.columns),
                "captions": side.captions,
            }
            for side in comparison.sides
        ],
        "judges": [without_nan(asdict(judge)) for judge in comparison.judges],
    }
    return json.dumps(data, ensure_ascii=False, indent=2)


def _finite(value: float) -> float | None:
    return value if isfinite(value) else None
