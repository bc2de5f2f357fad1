"""A comparison as Markdown."""

from collections.abc import Sequence

from evals.compare.cells import cell_lines, column_title, legend, paper_value, row_label
from evals.compare.comparison import Comparison
from evals.metric import Metric
from srlm.escape import markdown


def as_markdown(comparison: Comparison) -> str:
    """Return the tables, their captions and the conclusions. Names are escaped, so that they are no markup."""
    lines = [
        *_table(comparison.models, comparison.metrics, comparison.baseline),
        "",
        *(f"{markdown(one)}\n" for one in [*comparison.captions, *legend(comparison.metrics, comparison.extra_tables)]),
    ]
    for extra in comparison.extra_tables:
        lines += [f"**{markdown(extra.title)}**\n", *_table(extra.columns, extra.metrics, extra.baseline), ""]
        lines += [f"{markdown(one)}\n" for one in extra.captions]
    return "\n".join([*lines, *(f"- {markdown(line)}" for line in comparison.conclusions)])


def _table(models: Sequence[str], metrics: Sequence[Metric], baseline: str | None) -> list[str]:
    names = [markdown(column_title(model, baseline)) for model in models]
    lines = ["| | " + " | ".join(names) + " |", "|---|" + "---:|" * len(models)]
    for metric in metrics:
        cells = [" <br> ".join(cell_lines(metric.cells[model], metric)) for model in models]
        lines.append(f"| {markdown(row_label(metric))} | " + " | ".join(cells) + " |")
        if metric.paper is not None:
            values = [paper_value(metric.paper, metric, model) for model in models]
            lines.append(f"| *the paper's, {markdown(metric.paper.where)}* | " + " | ".join(values) + " |")
    return lines
