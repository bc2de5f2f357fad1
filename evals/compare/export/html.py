"""A comparison as an HTML fragment without style, to be put into a page. `srlm report` makes a whole page."""

from collections.abc import Sequence
from html import escape as escaped

from evals.compare.cells import cell_lines, column_title, legend, paper_value, row_label
from evals.compare.comparison import Comparison
from evals.metric import Metric
from srlm.escape import one_line


def as_html(comparison: Comparison) -> str:
    """Return the tables, their captions and the conclusions."""
    title = f"Comparison with {comparison.baseline}"
    lines = [*_table(title, comparison.models, comparison.metrics, comparison.baseline)]
    lines += [_paragraph(one) for one in [*comparison.captions, *legend(comparison.metrics, comparison.extra_tables)]]
    for extra in comparison.extra_tables:
        lines += [*_table(extra.title, extra.columns, extra.metrics, extra.baseline), *map(_paragraph, extra.captions)]
    if comparison.conclusions:
        lines += ["<ul>", *(f"  <li>{_escape(line)}</li>" for line in comparison.conclusions), "</ul>"]
    return "\n".join(lines)


def _table(title: str, models: Sequence[str], metrics: Sequence[Metric], baseline: str | None) -> list[str]:
    names = "".join(f'<th scope="col">{_escape(column_title(model, baseline))}</th>' for model in models)
    lines = ["<table>", f"  <caption>{_escape(title)}</caption>", f"  <thead><tr><td></td>{names}</tr></thead>"]
    lines.append("  <tbody>")
    for metric in metrics:
        cells = ["<br>".join(map(_escape, cell_lines(metric.cells[model], metric))) for model in models]
        lines.append(_row(row_label(metric), cells))
        if metric.paper is not None:
            values = [_escape(paper_value(metric.paper, metric, model)) for model in models]
            lines.append(_row(f"the paper's, {metric.paper.where}", values))
    return [*lines, "  </tbody>", "</table>"]


def _row(name: str, cells: Sequence[str]) -> str:
    return f'    <tr><th scope="row">{_escape(name)}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'


def _paragraph(text: str) -> str:
    return f"<p>{_escape(text)}</p>"


def _escape(text: str) -> str:
    """Return text as HTML, on one line."""
    return escaped(one_line(text))
