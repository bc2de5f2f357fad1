"""Text of table cells: units, intervals, p values and marks."""

from dataclasses import replace
from math import nan

import pytest

from evals.compare.cells import (
    BETTER,
    NOT_SIMULTANEOUS,
    OTHER,
    WORSE,
    cell_lines,
    format_estimate,
    format_p,
    format_value,
    interval_captions,
    legend,
    significance_mark,
)
from evals.metric import Cell, ExtraTable, Metric, is_significant
from helpers.comparison_tables import COMPARISON, UNKNOWN, estimate, paired
from srlm.stats.intervals import Estimate


@pytest.mark.parametrize(
    ("value", "unit", "signed", "text"),
    [
        (0.5123, "%", False, "51.2"),
        (0.05, "%", True, "+5.0"),
        (-0.05, "%", True, "-5.0"),
        (301.6, "chars", False, "302"),
        (-3.2, "chars", True, "-3"),
        (0.333, "", False, "0.33"),
        (nan, "%", True, "-"),
    ],
)
def test_number(value, unit, signed, text):
    assert format_value(value, unit, signed=signed) == text


def test_with_interval():
    assert format_estimate(Estimate(0.512, 0.44, 0.584, 10, 10), "%") == "51.2 [44.0, 58.4]"
    assert format_estimate(Estimate(0.5, nan, nan, 1, 1), "%") == "50.0"
    assert format_estimate(UNKNOWN, "%") == "-"


def test_marks_stand_for_significant_differences():
    wins, length, *_ = COMPARISON.metrics
    assert cell_lines(wins.cells["M1"], wins) == ["50.0 [40.0, 60.0]"]
    assert cell_lines(wins.cells["M2"], wins) == [
        "62.0 [52.0, 72.0]",
        "\N{BLACK UP-POINTING TRIANGLE} +12.0 [+7.0, +17.0] p=0.003",
    ]
    assert cell_lines(length.cells["M2"], length) == ["350 [330, 370]", "+50 [-30, +130] p=0.2"]
    significant = Cell(estimate(0.38), paired(-0.12, 0.003))
    marks = {
        better: significance_mark(significant, replace(wins, better=better)) for better in ("more", "less", "neither")
    }
    assert marks == {"more": WORSE, "less": BETTER, "neither": OTHER}
    assert significance_mark(wins.cells["M1"], wins) == significance_mark(length.cells["M2"], length) == ""
    assert legend(COMPARISON.metrics, []) == [
        f"{BETTER} significantly better than the baseline: p below 0.05, and an interval without 0."
    ]
    assert legend([length], []) == []


def test_nothing_is_minus_nothing():
    assert format_value(-0.0004, "%", signed=True) == "+0.0"
    assert format_value(-0.4, "chars", signed=True) == "+0"
    assert format_p(1e-40, " ") == "< 1e-15"


def test_a_test_that_was_not_made_is_no_figure():
    metric = COMPARISON.metrics[3]
    assert "nan" not in "".join(cell_lines(metric.cells["M2"], metric))


def family(*p_values):
    """A row of a baseline and other models, whose differences have these p values."""
    others = {f"M{number}": Cell(estimate(0.6), paired(0.1, p)) for number, p in enumerate(p_values, start=2)}
    return Metric("win_rate", "win rate", "%", "more", {"M1": Cell(estimate(0.5)), **others})


def test_intervals_are_explained_where_p_values_are_adjusted_over_several_tests():
    assert interval_captions([family(0.2)], []) == []
    assert interval_captions([family(0.2), family(0.3)], []) == []  # each row is adjusted on its own
    assert interval_captions([family(0.2, nan)], []) == []  # a test that was not made does not count
    assert interval_captions([family(0.2, 0.04)], []) == [NOT_SIMULTANEOUS]
    assert legend([family(0.2, 0.04)], [])[-1] == NOT_SIMULTANEOUS
    breakdown = ExtraTable("by category", ["M1", "M2"], [family(0.2), family(0.3)], baseline="M1")
    assert interval_captions([], [breakdown]) == [NOT_SIMULTANEOUS]  # adjusted over the whole table


def test_an_interval_without_zero_is_not_significant_if_its_adjusted_p_is_not():
    (cell,) = [one for one in family(0.06).cells.values() if one.paired]
    assert cell.paired.difference.low > 0
    assert not is_significant(cell.paired)
    assert is_significant(cell.paired, 0.04)
    assert not is_significant(replace(cell.paired, p_value=nan))
