"""A comparison as LaTeX: tables for the package booktabs, with captions and conclusions as text below."""

from collections.abc import Sequence

from evals.compare.cells import BETTER, WORSE, cell_lines, column_title, legend, paper_value, row_label
from evals.compare.comparison import Comparison
from evals.metric import Metric
from srlm.escape import one_line

ESCAPED = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        **{one: f"\\{one}" for one in "&%$#_{}"},
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        BETTER: r"$\uparrow$",
        WORSE: r"$\downarrow$",
    }
)


QUAD = r"\quad "
"""Space before the label of a row, for each of its levels."""


def as_latex(comparison: Comparison) -> str:
    """Return each table as a `tabular`, for a document that uses booktabs; a difference has a row of its own."""
    title = f"Comparison with {comparison.baseline}"
    below = [*comparison.captions, *legend(comparison.metrics, comparison.extra_tables)]
    parts = [_table(title, comparison.models, comparison.metrics, comparison.baseline, below)]
    parts += [
        _table(one.title, one.columns, one.metrics, one.baseline, one.captions) for one in comparison.extra_tables
    ]
    if comparison.conclusions:
        items = [rf"  \item {_escaped(line)}" for line in comparison.conclusions]
        parts.append("\n".join([r"\begin{itemize}", *items, r"\end{itemize}"]))
    return "\n\n".join(["% needs \\usepackage{booktabs}", *parts])


def _table(
    title: str, models: Sequence[str], metrics: Sequence[Metric], baseline: str | None, captions: Sequence[str]
) -> str:
    names = " & ".join(_escaped(column_title(model, baseline)) for model in models)
    lines = [rf"\textbf{{{_escaped(title)}}}", "", rf"\begin{{tabular}}{{l{'r' * len(models)}}}", r"\toprule"]
    lines += [rf" & {names} \\", r"\midrule"]
    for metric in metrics:
        cells = [cell_lines(metric.cells[model], metric) for model in models]
        lines.append(_row(row_label(metric), [cell[0] for cell in cells], metric.level))
        if any(len(cell) > 1 for cell in cells):
            lines.append(_row("difference", ["" if len(cell) == 1 else cell[1] for cell in cells], 1))
        if metric.paper is not None:
            values = [paper_value(metric.paper, metric, model) for model in models]
            lines.append(_row(f"the paper's, {metric.paper.where}", values, 1))
    lines += [r"\bottomrule", r"\end{tabular}"]
    return "\n".join([*lines, *(f"\n{_escaped(one)}" for one in captions)])


def _row(name: str, cells: Sequence[str], level: int) -> str:
    return rf"{QUAD * level}{_escaped(name)} & {' & '.join(map(_escaped, cells))} \\"


def _escaped(text: str) -> str:
    shown = one_line(text).translate(ESCAPED)
    # After the end of a row or an item, a bracket or a star would be an option of it.
    return f"{{}}{shown}" if shown.startswith(("[", "*")) else shown
