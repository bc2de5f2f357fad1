"""Notes below a comparison: printed, and read back from their lines."""

from dataclasses import replace

import pytest

from evals.note import Note, caption, card_note, parse_notes, warning
from helpers.comparisons import card


def test_a_warning_is_printed_with_its_first_word_and_a_caption_as_it_is():
    assert str(warning("3 answers of M2 are empty.", "M2")) == "Attention: 3 answers of M2 are empty."
    assert str(caption("Win rate, of 20 prompts.")) == "Win rate, of 20 prompts."


def test_the_card_of_a_weak_judge_is_a_kind_of_its_own():
    assert card_note(card(agreement=0.9)).kind == "caption"
    weak = card(agreement=0.5)
    assert card_note(replace(weak)).kind == ("weak judge" if weak.weak else "caption")
    assert weak.weak and str(card_note(weak)).startswith("This judge is weak")


@pytest.mark.parametrize(
    "note",
    [
        caption("Win rate, of 20 prompts."),
        warning("these alpaca results differ in dates."),
        warning("3 of 20 prompts of M2 have no preference.", "M2"),
        warning("2 of 20 prompts of M2 against M1 have no verdict in both orders.", "M1", "M2"),
    ],
)
def test_notes_are_read_back_from_their_lines(note):
    assert parse_notes([str(note)], ["M1", "M2", "M3"]) == [note]


def test_a_name_within_another_word_is_not_a_model():
    assert parse_notes(["Attention: M22 met none, M2-like as it is."], ["M2"]) == [
        Note("warning", "M22 met none, M2-like as it is.")
    ]
