"""Output of a judge card: its table and its histogram."""

from io import StringIO

import pytest

from helpers.card_judges import QUIET, SAMPLED, Judge, rank_of, ranked, right
from srlm.inference import Caller
from srlm.judges.judge_card_output import card_table, histogram_lines
from srlm.judges.measure_judge_card import measure_judge_card
from srlm.judges.preference_data import LabelledSet


def test_a_histogram_is_drawn_to_the_largest_count():
    lines = histogram_lines((0, 1, 48), 1)
    assert [line.count("#") for line in lines] == [0, 1, 24]
    assert [line.split()[0] for line in lines] == ["1", "2", "3"]
    assert [line.split()[-1] for line in lines] == ["0", "1", "48"]
    assert len(histogram_lines((0,) * 100 + (3,), 0)) == 1


@pytest.mark.parametrize("width", [80, 140])
@pytest.mark.parametrize("pointwise", [None, SAMPLED])
def test_the_table_is_whole_at_any_width(ledger, width, pointwise):
    from rich.console import Console

    labelled = LabelledSet("llmbar", {"Adversarial_Neighbor": ranked(), "Natural": ranked(prefix="n")})
    found = measure_judge_card(
        Caller(Judge(right, rank_of), ledger, "card", QUIET), labelled, limit=None, pointwise=pointwise
    )
    console = Console(width=width, record=True, file=StringIO())
    console.print(card_table(found))
    text = console.export_text()
    assert "…" not in text
    assert "on Adversarial_Neighbor, n = 36" in text
    assert text.count("2,000") >= 1
    assert "nan" not in text
