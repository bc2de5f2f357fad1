"""A comparison as CSV: a line for each metric and model."""

import csv
import io
import re
from math import isnan

from evals.compare.comparison import Comparison
from srlm.escape import one_line


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
        row: list[str | float] = [metric.key, model, baseline, one.value, one.low, one.high, one.n, one.clusters]
        if cell.paired is not None:
            gap = cell.paired.difference
            row += [gap.value, gap.low, gap.high, cell.paired.p_value]
        else:
            row += ["", "", "", ""]
        if columns[-1] == "paper_where":
            row += [metric.paper.values.get(model, ""), metric.paper.where] if metric.paper else ["", ""]
        writer.writerow(map(_cell, row))
    return out.getvalue()


_COMPUTED = re.compile("^[=+\\-@\uff1d\uff0b\uff0d\uff20\t\r]")
"""What a spreadsheet takes for the beginning of a formula, also in the wide forms of East Asian keyboards."""


def _cell(value: str | float) -> str | float:
    """Nothing for nan; a text that a spreadsheet would compute gets an apostrophe before it, as it has itself."""
    if isinstance(value, str):
        text = one_line(value)
        return f"'{text}" if _COMPUTED.match(value) or _COMPUTED.match(text.strip()) else text
    return "" if isnan(value) else value
