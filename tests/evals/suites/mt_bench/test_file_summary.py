"""Judgements compared: six models' published files of MT-Bench, and files with every kind of gap.

The published files and what they should give are in a folder next to the project; skipped where it is not there.
"""

import json
from math import isnan

import pytest

from evals.compare.comparison import compare_models
from evals.compare.export.json import as_json
from evals.compare.import_results import read_results, result_file
from evals.compare.sources import Sources
from evals.results import collect
from evals.settings import Repeats
from evals.suites.mt_bench.data import CATEGORIES, NUMBERED
from evals.suites.mt_bench.files import Judgement, Judgements, Questions, read_questions
from evals.suites.mt_bench.grades import GROUPS
from evals.suites.mt_bench.importer import IMPORTER
from helpers.paths import SHARED_DATA
from srlm.errors import DataError

DATA = SHARED_DATA / "mt_bench"
FILES = sorted((DATA / "model_judgment").glob("*.jsonl*"))
needs_data = pytest.mark.skipif(not FILES, reason=f"needs MT-Bench's judgements in {DATA}")


@pytest.fixture(scope="module")
def expected():
    return json.loads((DATA / "expected_scores.json").read_text(encoding="utf-8"))["models"]


class Found:
    """What the comparison of a file has of one model."""

    def __init__(self, comparison, model):
        self.cells = {one.key: one.cells[model].estimate for one in comparison.metrics}
        (table,) = [one for one in comparison.extra_tables if one.title.startswith("FastChat's judgements")]
        self.table = {one.key.removeprefix("mt_bench_file_"): one.cells[model].estimate for one in table.metrics}
        (data,) = [one for one in json.loads(as_json(comparison))["files"] if one["model"] == model]
        self.means, self.counts = data["means"], data["counts"]
        self.said = " ".join([*comparison.captions, *table.captions])
        self.data = data


def compared(judgements, *settings):
    results = IMPORTER.convert([judgements], settings)
    models = [*judgements.models]
    comparison = compare_models(collect(results), models, models[0], settings=settings)
    summaries = IMPORTER.summarize([judgements], results, settings)
    return Sources(collect(results), {}, summaries, None).add_summaries(comparison)


@pytest.fixture(scope="module")
def published():
    found = read_results([result_file(str(file)) for file in FILES])
    models = [model for names in found.models for model in names]
    comparison = compare_models(collect(found.results), models, models[0])
    comparison = Sources(collect(found.results), {}, found.summaries, None).add_summaries(comparison)
    return {model: Found(comparison, model) for model in models}


# --- the published judgements -----------------------------------------------------------------------------------------


@needs_data
def test_every_model_is_there_and_every_score_is_equal_to_the_last_digit(published, expected):
    assert published.keys() == expected.keys()
    assert len(published) == 6
    for model, scores in expected.items():
        found = published[model]
        names = ("mt_bench", "mt_bench_turn_1", "mt_bench_turn_2")
        assert [found.cells[name].value for name in names] == [scores[name] for name in ("overall", "turn_1", "turn_2")]
        assert found.means["overall"]["both"]["value"] == scores["overall"]
        ours = {category: found.cells[f"mt_bench_{category}"].value for category in CATEGORIES}
        assert {category: one for category, one in ours.items() if not isnan(one)} == given(scores["category"])
        for turn in ("turn_1", "turn_2"):
            ours = {category: found.table[f"{category}_{turn}"].value for category in CATEGORIES}
            assert {category: one for category, one in ours.items() if not isnan(one)} == given(
                scores[f"category_{turn}"]
            )
            assert {
                category: value
                for category in CATEGORIES
                if (value := found.means[category][turn]["value"]) is not None
            } == given(scores[f"category_{turn}"])


def given(scores):
    return {category: value for category, value in scores.items() if value is not None}


@needs_data
def test_what_has_no_grade_is_counted(published, expected):
    for model, scores in expected.items():
        found = published[model]
        assert found.counts["records"] == found.counts["turns"] == scores["n_rows"]
        assert found.counts["unread"] + found.counts["failed"] == scores["n_rows_score_minus_1"]
        assert found.means["overall"]["missing"] == scores["n_rows_score_minus_1"]
        assert found.cells["mt_bench"].n == scores["n_rows"] - scores["n_rows_score_minus_1"]
        assert found.counts["differ"] == 0
        assert {key: found.table[key].value for key in found.counts} == found.counts
    text = published["granite-7b-lab"].said
    assert "120 of 160 turns of granite-7b-lab have no grade" in text
    assert "2 scores of granite-7b-lab are a 0" in text


@needs_data
def test_the_papers_groups_are_the_means_of_their_turns(published):
    cells = published["mistral-orpo-capybara"].cells
    for group, categories in GROUPS.items():
        mean = sum(cells[f"mt_bench_{category}"].value for category in categories) / len(categories)
        assert cells[f"mt_bench_{group}"].value == pytest.approx(mean, abs=1e-12)


@needs_data
def test_the_categories_by_number_are_those_of_the_questions():
    assert {one.id: one.category for one in read_questions(DATA)} == NUMBERED


# --- made up ----------------------------------------------------------------------------------------------------------

TWO = {1: "math", 2: "poetry"}


def made_up(categories, *rows):
    judgements = Judgements("judge", {"m": tuple(Judgement(*row) for row in rows)})
    return Found(compared(judgements, Questions(categories)), "m")


def test_missing_grades_change_no_denominator_silently():
    found = made_up({**TWO, 3: "math"}, (1, 1, 4.0, "[[4]]"), (1, 2, None, "no idea"), (2, 1, 8.0, "[[8]]"))
    overall, means = found.cells["mt_bench"], found.means
    assert (overall.value, overall.n, overall.clusters, means["overall"]["missing"]) == (6.0, 2, 2, 4)
    assert means["overall"]["limits"] == [(12 + 4) / 6, (12 + 40) / 6]
    assert "its overall mean would be between 2.67 and 8.67 with them" in found.said
    assert (means["math"]["both"]["n"], means["math"]["missing"]) == (1, 3)
    assert means["poetry"]["missing"] == 1
    assert [found.table[f"{key}_missing"].value for key in ("overall", "math", "poetry")] == [4, 3, 1]
    names = ("turns", "records", "unread", "failed", "absent")
    assert [found.counts[name] for name in names] == [6, 3, 1, 0, 3]


def test_a_failed_call_is_no_unread_verdict_and_another_score_than_the_words_is_counted():
    rows = ((1, 1, None, "$ERROR$"), (1, 2, 3.0, "I say [[4]]"), (2, 1, None, "[[9]]"), (2, 2, 5.5, "[5.5]"))
    found = made_up(TWO, *rows)
    assert [found.counts[name] for name in ("failed", "unread", "differ")] == [1, 1, 2]
    assert found.cells["mt_bench"].value == 4.25


def test_a_group_or_a_category_without_questions_is_left_out():
    assert list(made_up({1: "math"}, (1, 1, 4.0, "[[4]]")).means) == ["overall", "math_code_reasoning", "math"]


def test_intervals_are_clustered_by_question():
    alike = [(question, turn, float(1 + question % 9), "") for question in range(40) for turn in (1, 2)]
    categories = dict.fromkeys(range(40), "math")
    wide = made_up(categories, *alike).cells["mt_bench"]
    single = made_up(categories, *(row for row in alike if row[1] == 1)).cells["mt_bench"]
    assert wide.clusters == 40
    # The second turn repeats the first and says nothing new: the interval must not shrink as if it did.
    assert wide.high - wide.low == pytest.approx(single.high - single.low, rel=0.02)


def test_figures_without_a_grade_are_null_in_json():
    found = made_up(TWO, (1, 1, 4.0, "[[4]]"), (2, 1, None, "no"))
    assert found.means["poetry"]["both"]["value"] is None
    json.dumps(found.data, allow_nan=False)


# --- judgements that a file has several times -------------------------------------------------------------------------


def record(question, turn, score):
    text = "no idea" if score == -1 else f"Rating: [[{score}]]"
    one = {"question_id": question, "model": "m", "judge": ["gpt-4", "single-v1"], "turn": turn, "score": score}
    return one | {"judgment": text}


def repeated(path, rule, *scores):
    """A file that judges turn 1 of question 81 several times, read by a rule."""
    lines = [record(81, 1, score) for score in scores] + [record(81, 2, 5)]
    path.write_text("".join(json.dumps(one) + "\n" for one in lines), encoding="utf-8")
    settings = [] if rule is None else [Repeats(rule)]
    found = read_results([result_file(str(path))], settings)
    comparison = compare_models(collect(found.results), ["m"], "m", settings=settings)
    return Found(Sources(collect(found.results), {}, found.summaries, None).add_summaries(comparison), "m")


@pytest.mark.parametrize(("rule", "score"), [("mean", 6.0), ("first", 4.0), ("last", 8.0)])
def test_repeats_are_read_by_the_rule_that_is_named(tmp_path, rule, score):
    found = repeated(tmp_path / "a.jsonl", rule, 4, 8)
    assert found.cells["mt_bench_turn_1"].value == score
    assert found.cells["mt_bench"].n == 2
    assert [found.counts[name] for name in ("records", "repeated", "differ")] == [3, 1, 0]


def test_the_mean_is_that_of_the_readable_scores(tmp_path):
    found = repeated(tmp_path / "a.jsonl", "mean", 4, -1, 5)
    assert found.cells["mt_bench_turn_1"].value == 4.5
    assert [found.counts[name] for name in ("unread", "repeated")] == [0, 2]


def test_without_a_rule_the_error_names_it(tmp_path):
    with pytest.raises(DataError, match="line 2: has the judgement of m on turn 1 of question 81 of line 1") as error:
        repeated(tmp_path / "a.jsonl", None, 4, 8)
    assert "--repeats first, last or mean" in str(error.value)
