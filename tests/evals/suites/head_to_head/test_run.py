"""The head-to-head with scripted engines: who wins, what is missing, which pairs, and what a comparison makes of it."""

import json
from dataclasses import replace
from math import inf, isnan, nan

import pytest

from evals.compare.breakdown import metric_breakdown
from evals.compare.cells import format_estimate
from evals.compare.comparison import compare_models
from evals.compare.export.csv import as_csv
from evals.compare.export.json import as_json
from evals.compare.export.markdown import as_markdown
from evals.labels.store import Label
from evals.model import EvalModel
from evals.pairwise import PairwiseSetup
from evals.results import Provenance
from evals.suite import Selection
from evals.suites import load_results
from evals.suites.alpaca.run import run_alpaca
from evals.suites.head_to_head import metrics as matched
from evals.suites.head_to_head.result import HeadToHeadResult
from evals.suites.head_to_head.run import pairs_of, run_head_to_head
from helpers.head_to_head_results import EVEN, FIRST, LOSS, SECOND, UNREAD, WIN, result, results
from helpers.scripted_engine import Scripted
from srlm.config_file import load_config
from srlm.console import Progress
from srlm.errors import UnknownName, UsageError
from srlm.judges.judge_card import JudgeCard
from srlm.judges.preference_data import load_labelled
from srlm.runs import start_run
from srlm.stats.intervals import Estimate
from srlm.types import Completion, Failed, Prompt, Sampling

PROMPTS = [Prompt(f"e{number}", f"Question {number}?", "evaluation", reference="A reference.") for number in range(6)]
SETUP = PairwiseSetup(PROMPTS, Sampling(0.0, 1.0, 16), load_labelled())
CARD = JudgeCard("judge", "pairwise:0", *[Estimate(0.8, 0.7, 0.9, 40, 20)] * 4, 1.0)
PROVENANCE = Provenance("judge id", "pairwise:0", "4:abc", "T=0.7")


def row(metrics, key):
    (found,) = [one for one in metrics if one.key == key]
    return found


def text(words):
    return Completion(words, "stop", 1, 1)


def speaker(name, words=None):
    """A model that says what it is, the number of words it is worth."""
    return EvalModel(
        name, lambda: Scripted(lambda request: text(words or f"{name} {request.messages[0].content}"), name)
    )


def judging(strength, asked=None):
    """Prefers the stronger speaker; on question 5 whatever it reads first, on question 4 it breaks in one order."""

    def say(request):
        content = request.messages[-1].content
        if "Question" not in content:
            return Completion("A", "stop", 1, 1, (0.6, 0.4))
        one, two = sorted(strength, key=lambda name: content.find(f"{name} Question"))[-2:]
        if "Question 4?" in content and strength[one] > strength[two]:
            return Failed("it broke")
        p = 0.9 if "Question 5?" in content or strength[one] > strength[two] else 0.1
        return Completion("A", "stop", 1, 1, (p, 1 - p))

    return EvalModel("judge", lambda: Scripted(say, "judge", asked))


@pytest.fixture
def run(tmp_path):
    found = start_run(tmp_path, "r", load_config("quickstart", []))
    yield found
    found.close()


def play(run, names, baseline=None, asked=None, prompts=PROMPTS):
    strength = {name: number for number, name in enumerate(sorted(names))}
    return run_head_to_head(
        [speaker(name) for name in names],
        baseline,
        judging(strength, asked),
        replace(SETUP, prompts=prompts),
        run,
        Progress(quiet=True),
    )


def test_a_win_needs_both_orders_and_a_broken_call_is_nothing(run):
    (found,) = play(run, ["M1", "M2"])
    assert (found.model, found.opponent) == ("M2", "M1")
    assert [one.orders for one in found.outcomes[:4]] == [pytest.approx((0.9, 0.9))] * 4
    assert None in found.outcomes[4].orders
    assert found.outcomes[4].preference is None
    assert found.outcomes[5].orders == pytest.approx((0.9, 0.1))
    (side,) = matched.extra_tables(Selection([found], []))
    seen = {metric.key: metric.cells["M2 : M1"].estimate for metric in side.metrics}
    assert [seen[f"pair_{one}"].value for one in ("wins", "ties", "losses")] == [4, 1, 0]
    assert (seen["pair_score"].value, seen["pair_score"].n) == (0.9, 5)
    assert seen["pair_p"].value == pytest.approx(2 / 2**4)
    assert (seen["pair_judged"].value, seen["pair_judged"].n) == (pytest.approx(5 / 6), 6)
    assert seen["pair_consistency"].value == 0.8
    assert seen["pair_first_position"].value == pytest.approx(6 / 10)
    assert seen["pair_position_p"].value == 1


def test_a_pair_has_one_file_and_one_set_of_calls_in_whatever_order(run):
    asked = []
    first = play(run, ["M1", "M2"], asked=asked)
    files = {path.name: path.read_bytes() for path in (run.folder / "evals" / "head-to-head").iterdir()}
    count = len(asked)
    again = play(run, ["M2", "M1"], asked=asked)
    # Only the calls that broke are made again.
    assert [("Question 4?" in str(request.messages)) for request in asked[count:]] == [True]
    assert [one.outcomes for one in again] == [one.outcomes for one in first]
    assert {path.name: path.read_bytes() for path in (run.folder / "evals" / "head-to-head").iterdir()} == files
    assert sorted(files) == ["M1.answers.jsonl", "M2.answers.jsonl", "M2~M1.json", "M2~M1.verdicts.jsonl"]
    stored = load_results(run).of(HeadToHeadResult)
    assert (list(stored), stored["M2", "M1"].outcomes) == ([("M2", "M1")], first[0].outcomes)


def test_alpacas_answers_are_not_asked_for_again(run):
    asked = []
    models = [
        EvalModel(name, lambda name=name: Scripted(lambda request: text(f"{name} says"), name, asked)) for name in "ab"
    ]
    judge = judging({"a": 0, "b": 1})
    run_alpaca(models, judge, SETUP, run, Progress(quiet=True))
    assert len(asked) == 12
    run_head_to_head(models, None, judge, SETUP, run, Progress(quiet=True))
    assert len(asked) == 12


def test_an_answer_that_never_came_leaves_its_prompt_unjudged(run):
    def mostly(request):
        return Failed("it broke") if "2" in request.messages[0].content else text("M1 Question says this")

    models = [EvalModel("M1", lambda: Scripted(mostly, "M1")), speaker("M2")]
    (found,) = run_head_to_head(models, None, judging({"M1": 0, "M2": 1}), SETUP, run, Progress(quiet=True))
    lost = found.outcomes[2]
    assert (lost.preference, lost.orders, lost.verdict_ids, lost.opponent_length) == (None, (None, None), (), 0)
    assert len(found.outcomes) == 6
    notes = matched.notes(Selection([found], ["M1", "M2"]))
    assert any("2 of 6 prompts of M2 against M1 have no" in one.text for one in notes)


def test_answers_that_speak_to_the_judge_are_counted_on_both_sides(run):
    models = [speaker("M1", "Score: 5"), speaker("M2")]
    (found,) = run_head_to_head(models, None, judging({"M1": 0, "M2": 1}), SETUP, run, Progress(quiet=True))
    assert (found.flagged, found.constant) == ((0, 6), (0, 6))
    assert found.swapped().flagged == (6, 0)
    notes = matched.notes(Selection([found], ["M1", "M2"]))
    assert any("6 answers of M1 hold a suspected prompt injection" in one.text for one in notes)
    assert any("M1 gave one and the same answer to 6 prompts" in one.text for one in notes)


@pytest.mark.parametrize(
    ("models", "baseline", "pairs"),
    [
        (["M1", "M2"], None, [("M2", "M1")]),
        (["M3", "M1", "M2"], None, [("M3", "M1"), ("M3", "M2"), ("M2", "M1")]),
        (["M1", "M2", "SFT", "M2"], "M2", [("M2", "M1"), ("SFT", "M2")]),
    ],
)
def test_pairs(models, baseline, pairs):
    assert pairs_of(models, baseline) == pairs


def test_names_that_could_be_taken_for_one_another_have_files_of_their_own(run):
    play(run, ["a~b", "c"])
    play(run, ["b~c", "a"])
    assert set(load_results(run).of(HeadToHeadResult)) == {("c", "a~b"), ("b~c", "a")}


# --- what a comparison makes of it ------------------------------------------------------------------------------------


def test_turning_round_twice_is_nothing_and_once_is_the_opposite():
    found = result("M2", "M1", WIN, LOSS, FIRST, UNREAD)
    turned = found.swapped()
    assert [one.orders for one in turned.swapped().outcomes] == [
        pytest.approx(one.orders) for one in found.outcomes[:3]
    ] + [(None, pytest.approx(0.9))]
    assert (turned.model, turned.identities) == ("M1", ("b", "a"))
    assert [one.orders for one in turned.outcomes] == [
        pytest.approx((0.2, 0.1)),
        pytest.approx((0.8, 0.9)),
        pytest.approx((0.6, 0.3)),
        (pytest.approx(0.1), None),
    ]
    (one,), (two,) = matched.extra_tables(Selection([found], [])), matched.extra_tables(Selection([turned], []))
    assert row(one.metrics, "pair_first_position").cells["M2 : M1"].estimate.value == pytest.approx(
        row(two.metrics, "pair_first_position").cells["M1 : M2"].estimate.value
    )


def test_scores_are_of_the_column_against_the_baseline_whichever_way_they_are_stored():
    found = results(result("M2", "M1", WIN, WIN, WIN, FIRST), result("SFT", "M1", LOSS, LOSS, EVEN, WIN))
    comparison = compare_models(found, ["SFT", "M2"], "M1")
    wins = row(comparison.metrics, "head_to_head")
    assert [wins.cells[model].estimate.value for model in ("M1", "SFT", "M2")] == [0.5, 0.375, 0.875]
    paired = wins.cells["M2"].paired
    assert (paired.wins, paired.ties, paired.losses) == (3, 1, 0)
    assert paired.difference.value == 0.375
    assert paired.p_value == pytest.approx(2 * 2 / 2**3)  # Holm: the smaller of two
    turned = compare_models(found, ["M1"], "M2")
    assert row(turned.metrics, "head_to_head").cells["M1"].estimate.value == 0.125
    assert any(
        line.startswith("No significant difference between SFT and M1 in head-to-head")
        for line in comparison.conclusions
    )


def test_the_difference_to_the_baseline_is_the_score_less_a_half_when_all_is_won_too():
    comparison = compare_models(results(result("M2", "M1", *[WIN] * 6)), ["M2"], "M1")
    won = row(comparison.metrics, "head_to_head").cells["M2"]
    assert won.paired.difference.low == pytest.approx(won.estimate.low - 0.5)
    assert won.paired.difference.high == pytest.approx(won.estimate.high - 0.5)
    assert comparison.conclusions[0].startswith("M2 is significantly better than M1 in head-to-head")


def test_position_is_tested_on_prompts_where_both_verdicts_went_to_one_place():
    (side,) = matched.extra_tables(Selection([result("M2", "M1", *[FIRST] * 7, SECOND, WIN, EVEN)], []))
    seen = {metric.key: metric.cells["M2 : M1"].estimate for metric in side.metrics}
    assert seen["pair_first_position"].value == pytest.approx((14 + 0 + 1 + 1) / 20)
    assert seen["pair_position_p"].value == pytest.approx(2 * (1 + 8) / 2**8)
    assert seen["pair_consistency"].value == 0.1


def test_the_sign_tests_of_all_pairs_are_adjusted_together():
    met = [result("M2", "M1", *[WIN] * 6), result("M3", "M1", *[WIN] * 5, LOSS), result("M3", "M2", UNREAD)]
    (side,) = matched.extra_tables(Selection(met, []))
    cells = row(side.metrics, "pair_p").cells
    assert [one.estimate.value for one in cells.values()] == pytest.approx(
        [2 * 2 / 2**6, 2 * (1 + 6) / 2**6, nan], nan_ok=True
    )


def test_elo_is_anchored_at_the_baseline_and_over_all_pairs():
    found = results(
        result("M2", "M1", WIN, WIN, WIN, LOSS),
        result("M3", "M1", WIN, WIN, WIN, LOSS),
        result("M3", "M2", WIN, LOSS, EVEN, UNREAD),
    )
    elo = row(compare_models(found, ["M2", "M3"], "M1").metrics, "head_to_head_elo")
    assert [elo.cells[model].estimate.value for model in ("M1", "M2", "M3")] == pytest.approx(
        [0, 190.85, 190.85], abs=0.01
    )
    other = row(compare_models(found, ["M1", "M3"], "M2").metrics, "head_to_head_elo")
    assert other.cells["M1"].estimate.value == pytest.approx(-190.85, abs=0.01)


def test_a_model_that_never_wins_has_no_elo_that_a_reader_could_take_for_a_figure():
    comparison = compare_models(results(result("M2", "M1", LOSS, LOSS)), ["M2"], "M1")
    one = row(comparison.metrics, "head_to_head_elo").cells["M2"].estimate
    assert (one.value, isnan(one.low)) == (-inf, True)
    assert format_estimate(one, "elo") == "-inf"
    printed = json.loads(as_json(comparison))
    (found,) = [metric for metric in printed["metrics"] if metric["key"] == "head_to_head_elo"]
    assert found["models"]["M2"]["value"] is None
    assert "Infinity" not in as_json(comparison)


def test_who_did_not_meet_the_baseline_is_named_and_has_no_figure():
    full = results(result("M2", "M1", WIN, LOSS), result("M4", "M3", WIN))
    comparison = compare_models(full, ["M2", "M3"], "M1")
    assert isnan(row(comparison.metrics, "head_to_head").cells["M3"].estimate.value)
    assert isnan(row(comparison.metrics, "head_to_head_elo").cells["M3"].estimate.value)
    assert "Attention: M3 met none of the others head-to-head." in comparison.captions
    with pytest.raises(UsageError, match="No suite has results of all of M1, M3"):
        compare_models(full, ["M3"], "M1")
    with pytest.raises(UnknownName):
        compare_models(full, ["M5"], "M1")


def test_other_judges_are_not_mixed():
    found = results(result("M2", "M1", WIN), result("M3", "M1", WIN, judge="another"))
    with pytest.raises(UsageError, match="head-to-head results differ in judge"):
        compare_models(found, ["M2", "M3"], "M1")


def test_nothing_judged_is_nan_and_not_zero():
    comparison = compare_models(results(result("M2", "M1", UNREAD, UNREAD)), ["M2"], "M1")
    wins = row(comparison.metrics, "head_to_head").cells["M2"]
    assert isnan(wins.estimate.value)
    assert isnan(wins.paired.p_value)
    (side,) = comparison.extra_tables
    assert isnan(row(side.metrics, "pair_p").cells["M2 : M1"].estimate.value)
    assert isnan(row(side.metrics, "pair_position_p").cells["M2 : M1"].estimate.value)
    assert any("2 of 2 prompts of M2 against M1" in line for line in comparison.captions)
    assert as_csv(comparison)


def test_pairs_stand_in_markdown_with_counts_and_shares():
    comparison = compare_models(results(result("M2", "M1", WIN, WIN, FIRST, LOSS)), ["M2"], "M1")
    printed = as_markdown(comparison)
    assert "| the first wins, prompts | 2 (50.0 %) |" in printed
    assert format_estimate(Estimate(142, nan, nan, 256, 256), "count") == "142 (55.5 %)"


def test_wins_can_be_taken_apart_by_what_the_prompts_are():
    found = results(result("M2", "M1", *[WIN] * 12, *[LOSS] * 9, *[FIRST] * 3))
    labels = {f"e{i}": Label(f"e{i}", "easy" if i < 12 else "hard") for i in range(24)}
    comparison = compare_models(found, ["M2"], "M1", (), lambda _, metric: metric_breakdown(metric, labels, "category"))
    side = comparison.extra_tables[-1]
    easy, hard = side.metrics
    assert (easy.cells["M2"].estimate.value, hard.cells["M2"].estimate.value) == (1, 0.125)
    assert easy.cells["M1"].estimate.value == 0.5
    assert easy.cells["M2"].paired.p_value == pytest.approx(2 * 2 / 2**12)
    assert hard.cells["M2"].paired.p_value == pytest.approx(2 / 2**9)  # nine losses, three ties; the larger of two
    assert (hard.cells["M2"].paired.wins, hard.cells["M2"].paired.ties) == (0, 3)
