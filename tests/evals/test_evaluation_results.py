"""Results of an evaluation and comparisons, as a notebook, a program and a page are given them."""

import json
from dataclasses import replace

import pytest

from evals.compare.comparison import compare_models
from evals.compare.export.json import as_json
from evals.compare.view import view
from evals.evaluation_results import EvaluationResults, model_names
from evals.results import collect
from helpers.head_to_head_results import LOSS, WIN, result
from helpers.results import alpaca, reward
from srlm.errors import UsageError
from srlm.stats.reward_model import Ranked

M1, M2 = alpaca("M1", [0.2, 0.4, 0.9, 0.6]), alpaca("M2", [0.7, 0.9, 0.9, 0.8])
GROUP = Ranked((1, 2), (3.0, 1.0), (10, 20))


@pytest.fixture
def results(tmp_path):
    return EvaluationResults(tmp_path, (M1, M2, result("M2", "M1", WIN, LOSS, WIN, WIN)))


def test_results_are_found_by_suite_and_model(results):
    assert list(results) == ["alpaca", "head-to-head"]
    assert len(results) == 2
    assert results["alpaca"]["M2"] is M2
    assert results["head-to-head"]["M2", "M1"].outcomes
    assert results.models == ["M1", "M2"]
    with pytest.raises(KeyError):
        results["nlp"]


def test_of_a_pair_the_opponent_comes_first():
    assert model_names([result("M2", "M1", WIN), result("M3", "M2", WIN)]) == ["M1", "M2", "M3"]


def test_models_with_the_same_suites_are_compared_with_each_other(results):
    (one,) = results.comparisons()
    assert one.models == ["M1", "M2"]
    assert {metric.suite for metric in one.metrics} == {"alpaca", "head-to-head"}
    assert results.to_dict() == {"schema": 1, "comparisons": [one.to_dict()]}
    assert results.to_markdown() == one.to_markdown()
    assert "<caption>Comparison with M1</caption>" in results._repr_html_()


def test_the_ways_of_one_judge_are_a_comparison_of_their_own(tmp_path):
    first = reward("M1", GROUP, GROUP)
    levels = replace(first, model="M1 (levels, expected)", provenance=replace(M1.provenance, rubric="levels"))
    found = EvaluationResults(tmp_path, (M1, first, levels))
    assert [one.models for one in found.comparisons()] == [["M1"], ["M1", "M1 (levels, expected)"]]


def test_a_head_to_head_with_a_baseline_has_no_other_pairs(tmp_path):
    pairs = (result("M2", "M1", WIN, LOSS), result("M3", "M2", WIN, WIN))
    (one,) = EvaluationResults(tmp_path, pairs).comparisons()
    assert one.models == ["M1", "M2", "M3"]


def test_a_comparison_is_data_and_the_stable_json():
    comparison = compare_models(collect([M1, M2]), ["M1", "M2"], "M1")
    assert view(comparison).to_dict() == json.loads(as_json(comparison))
    assert view(comparison) == view(comparison)


def test_a_frame_has_a_row_for_each_metric_and_model(results):
    pytest.importorskip("pandas")
    frame = results.to_pandas()
    rate = frame[(frame.metric == "win_rate") & (frame.model == "M2")].iloc[0]
    assert (rate.suite, rate.unit, rate.n) == ("alpaca", "%", 4)
    assert rate.value == pytest.approx(0.825)
    assert rate.difference == pytest.approx(0.3)
    assert frame[(frame.metric == "win_rate") & (frame.model == "M1")].difference.isna().all()
    assert set(frame.suite) == {"alpaca", "head-to-head"}


def test_without_pandas_one_error_says_so(results, monkeypatch):
    monkeypatch.setattr("srlm.optional_deps.importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match="pip install pandas"):
        results.to_pandas()
