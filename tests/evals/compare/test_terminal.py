"""Tables in the terminal: every cell is printed, in any width."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from evals.compare.cells import (
    cell_lines,
)
from evals.compare.comparison import Comparison
from evals.compare.terminal import as_tables
from evals.metric import Cell, Metric
from helpers.comparison_tables import COMPARISON, estimate, paired


def printed(comparison, width=140):
    console = Console(file=io.StringIO(), width=width)
    for table in as_tables(comparison, width):
        console.print(table)
    return console.file.getvalue()


def test_a_model_that_is_not_to_be_trusted_says_so_over_its_column():
    text = printed(replace(COMPARISON, untrusted={"M2": "it gave one and the same answer to 20 of 20 prompts"}), 200)
    assert "M2 (not to be trusted)" in text
    assert "M1 (baseline) (not" not in text


def test_models_that_have_no_room_side_by_side_get_tables_of_their_own():
    wide, narrow = printed(COMPARISON, 200), printed(COMPARISON, 60)
    assert wide.count("Comparison with") == 1
    assert narrow.count("Comparison with") == len(COMPARISON.models)
    for metric in COMPARISON.metrics:
        assert metric.label in narrow  # nothing is squeezed
        assert all(cell_lines(metric.cells[model], metric)[0] in narrow for model in COMPARISON.models)
    assert max(map(len, narrow.splitlines())) <= 60


def test_the_table_holds_every_figure_and_marks_the_baseline():
    text = printed(COMPARISON)
    for part in ("M1 (baseline)", "win rate, %", "mean length, characters", "Kendall's tau-b", "difference to M1"):
        assert part in text
    for metric in COMPARISON.metrics:
        for model in COMPARISON.models:
            for line in cell_lines(metric.cells[model], metric):
                assert line in text


@pytest.mark.parametrize("width", [40, 50])
def test_words_are_whole_on_a_narrow_terminal(width):
    text = printed(COMPARISON, width)
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    words = {
        word.strip("[],%") for line in text.splitlines() for word in line.replace("│", " ").replace("┃", " ").split()
    }
    for metric in COMPARISON.metrics:
        assert {*metric.label.split()} <= words
    assert {"difference", "characters", "62.0", "+17.0"} <= words


def test_a_hundred_models_are_drawn_once_each(monkeypatch):
    names = [f"m{number}" for number in range(100)]
    cells = {name: Cell(estimate(0.5), None if name == "m0" else paired(0.1, 0.2)) for name in names}
    many = Comparison(names, "m0", [Metric("win_rate", "win rate", "%", "more", cells)], [], [])
    written = []
    monkeypatch.setattr("evals.compare.terminal.cell_lines", lambda *one: written.append(one) or cell_lines(*one))
    assert sum(len(table.columns) - 1 for table in as_tables(many, 140)) == len(names)
    assert len(written) == len(names)
