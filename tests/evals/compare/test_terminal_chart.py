"""The chart in the terminal: the first metric in percent, a line for each model."""

from dataclasses import replace
from math import nan

from evals.compare.terminal_chart import COLUMNS, chart_lines
from evals.metric import Cell
from helpers.comparison_tables import COMPARISON
from srlm.stats.intervals import Estimate


def with_values(**values):
    first = COMPARISON.metrics[0]
    cells = {model: Cell(Estimate(*numbers, 100, 100)) for model, numbers in values.items()}
    return replace(COMPARISON, models=list(values), metrics=[replace(first, unit="%", label="solved", cells=cells)])


def test_values_stand_at_their_place_in_their_interval():
    scale, first, last = chart_lines(with_values(M1=(0.5, 0.4, 0.6), M3=(1.0, 0.95, 1.0)))
    margin = scale.index("0")
    assert scale.startswith("solved, %  0") and scale.endswith("100")
    assert first.startswith("M1 ") and first[margin:].index("o") == (COLUMNS - 1) / 2
    assert first.count("-") == 12 and first.strip().endswith("------")
    assert last[margin:].index("o") == COLUMNS - 1
    assert scale[: margin + 31].endswith("50")


def test_a_model_without_a_value_has_an_empty_line():
    assert chart_lines(with_values(M1=(0.5, 0.4, 0.6), M2=(nan, nan, nan)))[2] == "M2"


def test_metrics_without_a_percentage_have_no_chart():
    lengths = [replace(metric, unit="chars") for metric in COMPARISON.metrics]
    assert chart_lines(replace(COMPARISON, metrics=lengths)) == []
