"""A comparison as CSV: one line for each metric and model."""

import csv
import io
import re
from math import isnan

from evals.compare.comparison import Comparison
from srlm.escape import one_line


def as_csv(comparison: Comparison) -> str:
    """Return one line per metric and model, rates as fractions; lines of tables without a baseline name none."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    every = [*comparison.metrics, *(metric for extra in comparison.extra_tables for metric in extra.metrics)]
    columns = ["metric", "model", "baseline", "value", "low", "high", "n", "clusters"]
    columns += ["difference", "difference_low", "difference_high", "p_holm"]
    columns += ["paper", "paper_where"] if any(one.paper for one in every) else []
    writer.writerow(columns)
    rows = [(metric, model, comparison.baseline) for metric in comparison.metrics for model in comparison.models]
    for extra in comparison.extra_tables:
        rows += [(metric, column, extra.baseline or "") for metric in extra.metrics for column in extra.columns]
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
"""The beginning of a formula for a spreadsheet, also in the wide forms of East Asian keyboards."""


def _cell(value: str | float) -> str | float:
    """Return a cell: empty for nan, and with an apostrophe before a text that a spreadsheet would compute."""
    if isinstance(value, str):
        text = one_line(value)
        return f"'{text}" if _COMPUTED.match(value) or _COMPUTED.match(text.strip()) else text
    return "" if isnan(value) else value
