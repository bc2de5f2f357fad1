"""Judgements recomputed: six models' published files of MT-Bench, and files with every kind of gap.

The published files and what they should give stand beside the project; skipped where they are not there.
"""

import json
from math import isnan

import pytest

from evals.suites.mt_bench.data import CATEGORIES, NUMBERED
from evals.suites.mt_bench.files import Judgement, Judgements, read_judgements, read_questions
from evals.suites.mt_bench.grades import GROUPS
from evals.suites.mt_bench.rescore import as_json, captions, recompute
from helpers.paths import SHARED_DATA

DATA = SHARED_DATA / "mt_bench"
FILES = sorted((DATA / "model_judgment").glob("*.jsonl*"))
needs_data = pytest.mark.skipif(not FILES, reason=f"needs MT-Bench's judgements in {DATA}")


@pytest.fixture(scope="module")
def expected():
    return json.loads((DATA / "expected_scores.json").read_text(encoding="utf-8"))["models"]


@pytest.fixture(scope="module")
def published():
    return {one.model: one for file in FILES for one in recompute(read_judgements(file))}


# --- the published judgements -----------------------------------------------------------------------------------------


@needs_data
def test_every_model_is_there_and_every_score_is_equal_to_the_last_digit(published, expected):
    assert published.keys() == expected.keys()
    assert len(published) == 6
    for model, scores in expected.items():
        figures = published[model].figures
        overall = figures["overall"]
        assert (overall.both.value, overall.turn_1.value, overall.turn_2.value) == (
            scores["overall"],
            scores["turn_1"],
            scores["turn_2"],
        )
        for field, pick in (("category", "both"), ("category_turn_1", "turn_1"), ("category_turn_2", "turn_2")):
            ours = {category: getattr(figures[category], pick).value for category in CATEGORIES}
            given = {category: value for category, value in ours.items() if not isnan(value)}
            assert given == {category: value for category, value in scores[field].items() if value is not None}


@needs_data
def test_what_has_no_grade_is_counted(published, expected):
    for model, scores in expected.items():
        found = published[model]
        assert found.counts.records == found.counts.turns == scores["n_rows"]
        assert found.counts.unread + found.counts.failed == scores["n_rows_score_minus_1"]
        assert found.figures["overall"].missing == scores["n_rows_score_minus_1"]
        assert found.figures["overall"].both.n == scores["n_rows"] - scores["n_rows_score_minus_1"]
        assert found.counts.differ == 0
    text = " ".join(captions(published["granite-7b-lab"]))
    assert "120 of 160 turns have no grade" in text
    assert "2 scores are a 0" in text


@needs_data
def test_the_papers_groups_are_the_means_of_their_turns(published):
    figures = published["mistral-orpo-capybara"].figures
    for group, categories in GROUPS.items():
        mean = sum(figures[category].both.value for category in categories) / len(categories)
        assert figures[group].both.value == pytest.approx(mean, abs=1e-12)


@needs_data
def test_the_categories_by_number_are_those_of_the_questions():
    assert {one.id: one.category for one in read_questions(DATA)} == NUMBERED


# --- made up ----------------------------------------------------------------------------------------------------------

TWO = {1: "math", 2: "poetry"}


def made_up(*rows):
    return Judgements("judge", {"m": tuple(Judgement(*row) for row in rows)})


def test_missing_grades_change_no_denominator_silently():
    (found,) = recompute(
        made_up((1, 1, 4.0, "[[4]]"), (1, 2, None, "no idea"), (2, 1, 8.0, "[[8]]")), {**TWO, 3: "math"}
    )
    overall = found.figures["overall"]
    assert (overall.both.value, overall.both.n, overall.both.clusters, overall.missing) == (6.0, 2, 2, 4)
    assert overall.limits == ((12 + 4) / 6, (12 + 40) / 6)
    assert (found.figures["math"].both.n, found.figures["math"].missing) == (1, 3)
    assert found.figures["poetry"].missing == 1
    counts = found.counts
    assert (counts.turns, counts.records, counts.unread, counts.failed, counts.absent) == (6, 3, 1, 0, 3)


def test_a_failed_call_is_no_unread_verdict_and_another_score_than_the_words_is_counted():
    (found,) = recompute(
        made_up((1, 1, None, "$ERROR$"), (1, 2, 3.0, "I say [[4]]"), (2, 1, None, "[[9]]"), (2, 2, 5.5, "[5.5]")), TWO
    )
    assert (found.counts.failed, found.counts.unread, found.counts.differ) == (1, 1, 2)
    assert found.figures["overall"].both.value == 4.25


def test_a_group_or_a_category_without_questions_is_left_out():
    (found,) = recompute(made_up((1, 1, 4.0, "[[4]]")), {1: "math"})
    assert list(found.figures) == ["overall", "math_code_reasoning", "math"]


def test_intervals_are_clustered_by_question():
    alike = [(question, turn, float(1 + question % 9), "") for question in range(40) for turn in (1, 2)]
    (both,) = recompute(made_up(*alike), dict.fromkeys(range(40), "math"))
    (one,) = recompute(made_up(*(row for row in alike if row[1] == 1)), dict.fromkeys(range(40), "math"))
    wide, single = both.figures["overall"].both, one.figures["overall"].both
    assert wide.clusters == 40
    # The second turn repeats the first and says nothing new: the interval must not shrink as if it did.
    assert wide.high - wide.low == pytest.approx(single.high - single.low, rel=0.02)


def test_figures_without_a_grade_are_null_in_json():
    data = as_json(recompute(made_up((1, 1, 4.0, "[[4]]"), (2, 1, None, "no")), TWO))
    assert data["models"][0]["figures"]["poetry"]["both"]["value"] is None
    json.dumps(data, allow_nan=False)
