"""The table of the monitor, and its line for the log."""

from dataclasses import replace

from srlm.judges.rubric import POINTS
from trainer.monitor.metrics import IterationRecords, compute_metrics
from trainer.monitor.table import ROWS, metrics_line


def test_every_row_has_a_cell_for_an_empty_iteration():
    nothing = compute_metrics(IterationRecords("M2"), POINTS, None)
    cells = {label: cell(nothing) for label, cell in ROWS}
    assert len(cells) == len(ROWS)
    assert cells["  of degenerate answers"] == "-"
    assert metrics_line(nothing).startswith("M2: 0 pairs of 0 instructions")


def test_the_line_has_the_change_of_length_if_there_is_one(good):
    assert "13 characters (+10%)" in metrics_line(good)
    assert "13 characters;" in metrics_line(replace(good, length_drift=None))
