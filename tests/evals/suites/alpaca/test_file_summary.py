"""Annotations compared: nine models of AlpacaEval's leaderboard, and files with every kind of gap.

The leaderboard's figures are in files next to the annotations; skipped where those are not there.
"""

import csv
import gzip
import json
from dataclasses import replace
from functools import cache
from math import exp

import numpy as np
import pytest

from evals.compare.comparison import compare_models
from evals.compare.export.json import as_json
from evals.compare.sources import Sources
from evals.results import collect
from evals.single_turn import Output, read_outputs
from evals.suites.alpaca.files import Annotation, Annotations, BenchmarkPrompts, read_annotations, read_difficulties
from evals.suites.alpaca.importer import IMPORTER
from evals.suites.alpaca.length_control import ERROR, HELD_LENGTH, length_controlled, tanh_gap
from helpers.paths import SHARED_DATA
from srlm.errors import UsageError

DATA = SHARED_DATA / "alpaca_eval"
MODELS = sorted(path.name.removesuffix(".json.gz") for path in (DATA / "annotations").glob("*.json.gz"))
needs_data = pytest.mark.skipif(not MODELS, reason=f"needs AlpacaEval's annotations in {DATA}")
each_model = pytest.mark.parametrize("model", MODELS)
BASELINE = DATA / "model_outputs" / "gpt4_1106_preview.json.gz"


class Found:
    """A comparison of one file: the metrics of its model, and what else is shown and exported of it."""

    def __init__(self, annotations, *settings):
        results = IMPORTER.convert([annotations], settings)
        found = collect(results)
        summaries = IMPORTER.summarize([annotations], results, settings)
        comparison = compare_models(found, [annotations.model], annotations.model, settings=settings)
        self.comparison = Sources(found, {}, summaries, None).add_summaries(comparison)
        cells = {one.key: one.cells[annotations.model].estimate for one in comparison.metrics}
        self.win_rate, self.discrete_win_rate = cells["win_rate"], cells["discrete_win_rate"]
        self.length_controlled = cells["length_controlled_win_rate"]
        (self.data,) = json.loads(as_json(self.comparison))["files"]
        self.counts, self.way = self.data["counts"], self.data["length_control"]["way"]
        (table,) = self.comparison.extra_tables
        self.said = " ".join([*self.comparison.captions, *table.captions])
        self.table = {
            one.key.removeprefix("alpaca_file_"): one.cells[annotations.model].estimate for one in table.metrics
        }


def arrays(annotations):
    """The gaps in characters, and the preferences, nan where one is missing."""
    rows = annotations.rows
    gaps = np.array([float(len(row.baseline_output) - len(row.model_output)) for row in rows])
    return gaps, np.array([np.nan if row.preference is None else row.preference for row in rows])


def loaded(name):
    return json.loads((DATA / name).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def leaderboard():
    with (DATA / "leaderboard_shared.csv").open(encoding="utf-8", newline="") as file:
        return {row[""]: row for row in csv.DictReader(file)}


@pytest.fixture(scope="module")
def difficulties():
    return read_difficulties(DATA / "df_gamed.csv")


@pytest.fixture(scope="module")
def annotations():
    return {model: read_annotations(DATA / "annotations" / f"{model}.json.gz") for model in MODELS}


@pytest.fixture(scope="module")
def published(annotations, difficulties):
    """All figures of a model, with the published difficulties."""
    return cache(lambda model: Found(annotations[model], difficulties))


# --- the leaderboard --------------------------------------------------------------------------------------------------


@needs_data
def test_there_are_nine_models():
    assert len(MODELS) == 9


@needs_data
@each_model
def test_raw_and_discrete_win_rates_are_the_leaderboards(model, annotations, leaderboard):
    found, published = Found(annotations[model]), leaderboard[model]
    assert 100 * found.win_rate.value == pytest.approx(float(published["win_rate"]), abs=1e-6)
    assert 100 * found.discrete_win_rate.value == pytest.approx(float(published["discrete_win_rate"]), abs=1e-6)
    counts = [int(published[name]) for name in ("n_wins", "n_draws", "n_wins_base", "n_total")]
    assert [found.data[one] for one in ("wins", "draws", "losses")] + [found.counts["records"]] == counts
    assert [found.table[one].value for one in ("wins", "draws", "losses", "records")] == counts
    half = 100 * (found.win_rate.high - found.win_rate.low) / 2
    assert half == pytest.approx(1.963 * float(published["standard_error"]), rel=1e-3)  # t with 804 or 802 degrees


@needs_data
@each_model
def test_at_the_leaderboards_c_the_length_controlled_rate_is_its_own(model, annotations, difficulties, leaderboard):
    expected = loaded("expected_lc.json")[model]
    found = length_controlled(
        *arrays(annotations[model]), difficulties, way="published", strength=expected["C_of_leaderboard"], resamples=0
    )
    published = float(leaderboard[model]["length_controlled_winrate"])
    assert 100 * found.estimate.value == pytest.approx(published, abs=0.02)
    assert 100 * found.estimate.value == pytest.approx(expected["lc_at_that_C"]["exact_optimum"], abs=1e-6)
    weights = [found.length, found.difficulty, found.own]
    assert weights == pytest.approx(expected["coef_at_that_C"]["exact_optimum"], abs=1e-6)


@needs_data
@each_model
def test_with_our_own_choice_of_c_it_is_near(model, published, leaderboard):
    found = published(model).length_controlled
    rate = float(leaderboard[model]["length_controlled_winrate"])
    assert published(model).way == "published"
    assert 100 * found.value == pytest.approx(rate, abs=ERROR["published"])
    assert 100 * found.low < rate < 100 * found.high


@needs_data
@each_model
@pytest.mark.parametrize("way", ["held", "fitted"])
def test_without_difficulties_it_is_within_the_bound_that_is_printed(model, way, annotations, leaderboard):
    judge = annotations[model].annotator if way == "held" else "another judge"
    found = Found(replace(annotations[model], annotator=judge))
    published = float(leaderboard[model]["length_controlled_winrate"])
    assert found.way == way
    assert 100 * found.length_controlled.value == pytest.approx(published, abs=ERROR[way])
    assert f"up to {ERROR[way]} points from published values" in found.said
    assert found.data["length_control"]["error_points"] == ERROR[way]
    assert way == "fitted" or f"(length held): {HELD_LENGTH} (length)" in found.said


@needs_data
def test_the_held_weight_and_its_bound_are_what_leaving_out_one_model_gives(annotations, leaderboard, monkeypatch):
    candidates = np.round(np.arange(-2.0, -0.6, 0.05), 2)
    errors = np.empty((len(MODELS), candidates.size))
    for column, candidate in enumerate(candidates):
        monkeypatch.setattr("evals.suites.alpaca.length_control.HELD_LENGTH", candidate)
        for row, model in enumerate(MODELS):
            found = length_controlled(*arrays(annotations[model]), way="held", resamples=0).estimate.value
            errors[row, column] = 100 * found - float(leaderboard[model]["length_controlled_winrate"])
    squares = errors**2
    assert candidates[squares.sum(axis=0).argmin()] == pytest.approx(HELD_LENGTH)
    left_out = [abs(errors[one, np.delete(squares, one, 0).sum(axis=0).argmin()]) for one in range(len(MODELS))]
    assert ERROR["held"] - 0.1 < max(left_out) <= ERROR["held"]


@needs_data
@each_model
def test_preferences_come_back_from_the_judges_tokens(model, annotations):
    found = annotations[model].rows
    by_tokens = [(row.by_tokens, row.preference) for row in found if row.by_tokens is not None]
    if model == "FuseChat-Gemma-2-9B-Instruct":
        assert not by_tokens  # its file has none
        return
    identical = sum(row.baseline_output == row.model_output for row in found)
    assert len(by_tokens) == len(found) - identical
    assert max(abs(one - two) for one, two in by_tokens) < 1e-9
    counts = Found(annotations[model]).counts
    assert (counts["by_tokens"], counts["by_tokens_differ"]) == (len(by_tokens), 0)


@needs_data
def test_the_order_of_presentation_is_alpaca_evals(annotations):
    found = Found(annotations["alpaca-7b"]).counts
    assert found["model_first"] == sum(loaded("presentation_order.json"))


@needs_data
def test_rows_that_are_missing_are_named_and_their_neighbours_get_their_own_difficulties(
    annotations, difficulties, published
):
    short = annotations["text_davinci_001"]
    by_place = published("text_davinci_001")
    assert "2 of 805 prompts have no record of text_davinci_001; no metric counts them." in by_place.said
    assert "Give --prompts" in by_place.said
    aligned = Found(short, difficulties, BenchmarkPrompts(tuple(read_outputs(BASELINE))))
    assert aligned.counts["absent"] == [248, 505]
    assert "2 of 805 prompts have no record of text_davinci_001 (248, 505)" in aligned.said
    assert "Give --prompts" not in aligned.said
    # The published 9.03 % rests on difficulties of neighbours; with its own the model gets less.
    assert 100 * by_place.length_controlled.value == pytest.approx(9.03, abs=0.2)
    assert 100 * aligned.length_controlled.value == pytest.approx(6.48, abs=0.1)


@needs_data
def test_a_whole_file_is_aligned_by_its_order_and_by_its_prompts_alike(annotations, difficulties, published):
    prompts = BenchmarkPrompts(tuple(read_outputs(BASELINE)))
    whole = annotations["claude-2.1"]
    shuffled = replace(whole, rows=tuple(sorted(whole.rows, key=lambda row: row.instruction)))
    one, two = published("claude-2.1"), Found(shuffled, difficulties, prompts)
    assert two.win_rate.value == pytest.approx(one.win_rate.value)
    # Folds go by place, and may lead to another C of the grid.
    assert two.length_controlled.value == pytest.approx(one.length_controlled.value, abs=0.002)


@needs_data
@each_model
def test_the_package_of_alpaca_eval_found_the_same_with_these_files(model, published):
    theirs = loaded("expected_lc.json")[model]["alpaca_eval_0_6_6"]["sklearn_1_9_1_stable_group_folds"]
    found = published(model).length_controlled
    assert 100 * found.value == pytest.approx(theirs["length_controlled_winrate"], abs=0.1)


# --- gaps -------------------------------------------------------------------------------------------------------------


def made_up(n=40, **changes):
    rng = np.random.default_rng(n)
    rows = [
        Annotation(f"Question {place}?", "b" * int(rng.integers(5, 60)), "m" * int(rng.integers(5, 60)), float(value))
        for place, value in enumerate(np.round(rng.random(n), 3))
    ]
    for place, change in changes.pop("rows", {}).items():
        rows[place] = replace(rows[place], **change)
    return Annotations("tuned", "base", "someone", tuple(rows))


def test_missing_preferences_identical_and_empty_outputs_are_counted_and_change_n_alone():
    found = Found(
        made_up(rows={0: {"preference": None}, 3: {"preference": None}, 5: {"model_output": ""}, 6: {"swapped": True}})
    )
    names = ("records", "without_preference", "empty_outputs", "swapped")
    assert [found.counts[name] for name in names] == [40, 2, 1, 1]
    assert [found.table[name].value for name in names] == [40, 2, 1, 1]
    assert found.win_rate.n == found.discrete_win_rate.n == found.length_controlled.n == 38
    assert found.data["wins"] + found.data["draws"] + found.data["losses"] == 38
    assert found.table["wins"].n == 38


def test_a_draw_is_half_a_win():
    rows = {place: {"preference": 0.5} for place in range(40)}
    found = Found(made_up(rows=rows))
    assert [found.data[one] for one in ("wins", "draws", "losses")] == [0, 40, 0]
    assert found.discrete_win_rate.value == 0.5


def test_tokens_that_say_something_else_are_counted():
    found = Found(made_up(rows={2: {"preference": 0.25, "by_tokens": 0.75}, 3: {"preference": 0.1, "by_tokens": 0.1}}))
    assert (found.counts["by_tokens"], found.counts["by_tokens_differ"]) == (2, 1)
    assert found.counts["largest_difference"] == 0.5
    assert "Attention: 1 preferences of tuned are not what the judge's log-probabilities give" in found.said
    assert "(largest difference 0.5)" in found.said


def test_too_few_preferences_give_no_length_controlled_rate():
    found = Found(made_up(n=6))
    assert "too few preferences" in found.said
    assert found.data["length_control"]["own"] is None
    json.dumps(found.data, allow_nan=False)


def test_an_instruction_outside_of_the_prompts_is_refused():
    prompts = BenchmarkPrompts(tuple(Output(f"Question {place}?", "b", "base") for place in range(39)))
    with pytest.raises(UsageError, match="Record 40"):
        Found(made_up(), prompts)


def test_the_length_feature_has_the_published_form():
    gaps = np.array([-100.0, 0.0, 300.0])
    assert tanh_gap(gaps, np.array([200.0]))[0][2] == pytest.approx((exp(3) - 1) / (exp(3) + 1))
    assert (tanh_gap(gaps, np.array([0.0])) == 0).all()


def test_gzip_and_plain_files_are_the_same_to_the_reader(tmp_path):
    record = {"instruction": "i", "output_1": "a", "generator_1": "b", "output_2": "c", "generator_2": "m"}
    text = json.dumps([{**record, "preference": 1.25}])
    (tmp_path / "a.json").write_text(text, encoding="utf-8")
    (tmp_path / "b.json.gz").write_bytes(gzip.compress(text.encode()))
    assert read_annotations(tmp_path / "a.json") == read_annotations(tmp_path / "b.json.gz")
