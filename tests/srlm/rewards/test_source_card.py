"""The card of a program and the scores of a file by it, against figures that follow from the labels by hand."""

import json

import pytest

from helpers.card_judges import ranked
from srlm.console import Progress
from srlm.inference import Caller
from srlm.judges.judge_card import JudgeCard, find_judge_card, store_card
from srlm.judges.judge_card_output import card_json, card_table, card_words
from srlm.judges.measure_judge_card import measure_judge_card
from srlm.judges.preference_data import LabelledSet
from srlm.rewards.program import ProgramSource
from srlm.stats.five_numbers import five_numbers

QUIET = Progress(quiet=True)
LABELLED = LabelledSet("made", {"made": ranked(count=12, answers=3)})
RANK = "rank = int(answer.split()[2])"


@pytest.fixture
def card(tmp_path, ledger):
    """A function: the card of a program with this body, on 12 prompts with answers of rank 0, 1 and 2."""

    def measure(body):
        file = tmp_path / "check.py"
        file.write_text(f"def score(prompt, answer):\n    {RANK}\n    {body}\n", encoding="utf-8")
        source = ProgramSource(file, "score", name="check.py:score")
        return measure_judge_card(Caller(source, ledger, "judge/card", QUIET), LABELLED, limit=None)

    return measure


def test_the_order_of_the_labels_is_agreement_of_one(card):
    found = card("return 7.5 - 100 * rank")
    scores = found.scores
    assert (scores.agreement.value, scores.agreement.n, scores.agreement.clusters) == (1.0, 36, 12)
    assert (scores.ties.value, scores.reliability.parsed.value) == (0.0, 1.0)
    assert scores.five_numbers == (-192.5, -192.5, -92.5, 7.5, 7.5)
    assert scores.mean.value == pytest.approx(-92.5)
    assert (scores.histogram, scores.scoring) == ((), "program")
    # The better answers are the shorter ones: a rule that prefers the longer is right nowhere.
    assert (scores.length.preferred.value, scores.length.labelled.value) == (0.0, 0.0)


def test_the_opposite_order_and_equal_scores(card):
    assert card("return rank").scores.agreement.value == 0.0
    equal = card("return 3").scores
    assert (equal.agreement.value, equal.ties.value) == (0.5, 1.0)


def test_one_pair_of_three_ordered_wrongly_is_two_thirds(card):
    found = card("return {0: 2, 1: 3, 2: 1}[rank]").scores
    assert found.agreement.value == pytest.approx(2 / 3)


def test_pairs_with_an_answer_without_a_value_are_left_out(card):
    found = card("return None if rank == 2 else -rank")
    assert (found.scores.agreement.n, found.scores.agreement.value) == (12, 1.0)
    assert found.scores.reliability.parsed.value == pytest.approx(2 / 3)
    assert any("It has a value for 67 %" in line for line in card_words(found))


def test_only_scores_are_in_its_table_and_sentences(card):
    found = card("return -rank")
    assert not found.pairwise
    table = card_table(found)
    assert [column.header for column in table.columns] == ["", "scores, program"]
    labels = list(table.columns[0].cells)
    assert "answers with a value" in labels
    assert not [label for label in labels if "order" in label or "shown first" in label]
    assert card_words(found)[0].startswith("On 36 labelled pairs (made, 12 instructions), by the scores of a program: ")
    assert "a rule that only measures length agrees as often" in card_words(found)[1]


def test_the_card_is_stored_and_found_for_the_same_version_alone(card, tmp_path):
    found = card("return -rank")
    path = store_card(tmp_path / "ledger.sqlite", found)
    place, again = find_judge_card(tmp_path / "ledger.sqlite", found.identity, found.rubric, "program")
    assert (place, again.identity, again.scores.agreement) == (path, found.identity, found.scores.agreement)
    assert again.scores.five_numbers == found.scores.five_numbers
    assert find_judge_card(tmp_path / "ledger.sqlite", f"{found.identity}x", found.rubric, "program") is None
    assert json.loads(card_json(found, path))["scores"]["five_numbers"] == [-2.0, -2.0, -1.0, 0.0, 0.0]
    assert isinstance(found, JudgeCard)


def test_five_numbers():
    assert five_numbers([]) is None
    assert five_numbers([2.0]) == (2.0,) * 5
    assert five_numbers([4.0, 1.0, 2.0, 3.0, 5.0]) == (1.0, 2.0, 3.0, 4.0, 5.0)
