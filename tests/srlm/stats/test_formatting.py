"""Estimates as text."""

from math import nan

from srlm.stats.formatting import number_cell, percent, percent_cell
from srlm.stats.intervals import Estimate

RATE, ALONE, NOTHING = (
    Estimate(0.551, 0.48, 0.62, 100, 50),
    Estimate(0.5, nan, nan, 2, 1),
    Estimate(nan, nan, nan, 0, 0),
)


def test_percent():
    assert percent(RATE) == "55 % [48, 62]"
    assert percent(ALONE) == "50 %"
    assert percent(NOTHING) == "an unknown share"


def test_cells():
    assert [percent_cell(one) for one in (RATE, ALONE, NOTHING, None)] == ["55 [48, 62]", "50", "unknown", "unknown"]
    assert number_cell(Estimate(3.214, 2.9, 3.519, 9, 9)) == "3.21 [2.90, 3.52]"
    assert number_cell(Estimate(1234.5, 1100.0, 1300.0, 9, 9)) == "1,234 [1,100, 1,300]"
    assert [number_cell(one) for one in (ALONE, NOTHING)] == ["0.50", "unknown"]
