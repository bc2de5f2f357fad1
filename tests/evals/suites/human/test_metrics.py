"""What is read off people's votes, by hand: majorities, agreement with each other and with the judge, the tables."""

import json
from math import isnan

import pytest

from evals.compare.comparison import compare_models
from evals.compare.export.csv import as_csv
from evals.compare.export.html import as_html
from evals.compare.export.json import as_json
from evals.compare.export.latex import as_latex
from evals.compare.export.markdown import as_markdown
from evals.suites import load_results
from evals.suites.human.metrics import decisions, judge_decisions
from evals.suites.human.pair_sampling import get_or_draw
from evals.suites.human.result import HumanResult, votes_folder
from evals.suites.human.votes import Vote, append_vote
from helpers.human_votes import LOSS, TIE, WIN, prompts, run_of
from srlm.errors import UnknownName, UsageError

COUNT = 8
VERDICTS = {"w": "win", "t": "tie", "l": "loss"}
JUDGE = [WIN, WIN, WIN, TIE, TIE, LOSS, LOSS, LOSS]


def cast(run, annotator, said, left="model", pair=("M2", "M1")):
    """Votes on the prompts in their order: w, t or l, and - for none."""
    for number, letter in enumerate(said):
        if letter != "-":
            vote = Vote(f"e{number:03d}", annotator, VERDICTS[letter], left, "2026-01-01T00:00:00+00:00")
            append_vote(votes_folder(run, pair) / f"{annotator}.jsonl", vote)


@pytest.fixture
def run(tmp_path):
    asked = prompts(COUNT)
    texts = [("x" * (10 + number), "y" * 5) for number in range(COUNT)]
    found = run_of(tmp_path, "M2", "M1", asked, texts, JUDGE)
    get_or_draw(found, load_results(found), ("M2", "M1"), None, None, None)
    return found


def cells(comparison, key):
    every = [*comparison.metrics, *(metric for side in comparison.extra_tables for metric in side.metrics)]
    (found,) = [metric for metric in every if metric.key == key]
    return {name: cell.estimate for name, cell in found.cells.items()}


def pair(comparison, key):
    (found,) = cells(comparison, f"human_pair_{key}").values()
    return found


def test_majorities_by_hand(run):
    cast(run, "ann", "wwwttll-")
    cast(run, "bob", "wwltlll-")
    cast(run, "eve", "wltllw--")
    (result,) = load_results(run).of(HumanResult).values()
    assert [decisions(result).get(f"e{n:03d}") for n in range(COUNT)] == [
        *("win", "win", "tie", "tie", "loss", "loss", "loss", None)
    ]
    found = compare_models(load_results(run), ["M1", "M2"], "M1")
    assert [pair(found, key).value for key in ("wins", "ties", "split", "losses")] == [2, 2, 1, 3]
    assert pair(found, "score").value == pytest.approx(3 / 7)
    assert cells(found, "human")["M2"].value == pytest.approx(3 / 7)
    assert cells(found, "human")["M2"].n == 7
    assert cells(found, "human")["M1"].value == 0.5
    assert pair(found, "p").value == 1
    assert (pair(found, "annotators").value, pair(found, "votes").value) == (3, 20)
    assert pair(found, "length").value == 13
    assert any("M2 : M1 7 of 8" in line for line in found.captions)
    assert any("No significant difference between M2 and M1 in people's votes" in line for line in found.conclusions)


def test_agreement_with_and_without_ties(run):
    cast(run, "ann", "wwwwttll")
    cast(run, "bob", "wwlltwtl")
    found = compare_models(load_results(run), ["M1", "M2"], "M1")
    assert pair(found, "agreement").value == pytest.approx(4 / 8)
    assert pair(found, "agreement_decided").value == pytest.approx(3 / 5)
    # po = 1/2; chance: ann (4, 2, 2), bob (3, 2, 3) of wins, ties, losses.
    chance = (4 * 3 + 2 * 2 + 2 * 3) / 64
    assert pair(found, "kappa").value == pytest.approx((0.5 - chance) / (1 - chance))
    assert pair(found, "kappa").low < pair(found, "kappa").value


def test_one_annotator_agrees_with_nobody_and_it_is_said(run):
    cast(run, "ann", "wwwwwwww")
    found = compare_models(load_results(run), ["M1", "M2"], "M1")
    assert not any(one.key == "human_pair_agreement" for side in found.extra_tables for one in side.metrics)
    assert any("one person voted" in line for line in found.captions)
    assert pair(found, "p").value == pytest.approx(2 / 2**8)
    assert any("M2 is significantly better than M1 in people's votes" in line for line in found.conclusions)


def test_agreement_with_the_judge(run):
    cast(run, "ann", "wwtltllw")
    found = compare_models(load_results(run), ["M1", "M2"], "M1")
    assert pair(found, "judge").value == pytest.approx(5 / 8)
    assert pair(found, "judge_decided").value == pytest.approx(4 / 5)
    chance = (3 * 3 + 2 * 2 + 3 * 3) / 64
    assert pair(found, "judge_kappa").value == pytest.approx((5 / 8 - chance) / (1 - chance))


def test_from_the_other_side_everything_is_turned(run):
    cast(run, "ann", "wwwwtlwl")
    one = compare_models(load_results(run), ["M1", "M2"], "M1")
    two = compare_models(load_results(run), ["M2", "M1"], "M2")
    assert cells(two, "human")["M1"].value == pytest.approx(1 - cells(one, "human")["M2"].value)
    assert (pair(two, "wins").value, pair(two, "losses").value) == (pair(one, "losses").value, pair(one, "wins").value)
    assert pair(two, "length").value == pair(one, "opponent_length").value == 5
    for key in ("judge", "judge_kappa", "left"):
        assert pair(two, key).value == pytest.approx(pair(one, key).value)


def test_how_often_the_left_one_is_preferred(run):
    cast(run, "ann", "wwwl----", left="model")
    cast(run, "bob", "----wtll", left="opponent")
    found = compare_models(load_results(run), ["M1", "M2"], "M1")
    assert pair(found, "left").value == pytest.approx((3 + 2) / 7)


def test_a_changed_mind_counts_once_and_a_vote_on_what_is_not_shown_not_at_all(run):
    cast(run, "ann", "wwww----")
    cast(run, "ann", "llll----")
    append_vote(votes_folder(run, ("M2", "M1")) / "ann.jsonl", Vote("gone", "ann", "win", "model", "t"))
    found = compare_models(load_results(run), ["M1", "M2"], "M1")
    assert (pair(found, "wins").value, pair(found, "losses").value, pair(found, "votes").value) == (0, 4, 4)


def test_a_judge_of_other_answers_is_no_judge_of_these(run):
    cast(run, "ann", "wwwwwwww")
    results = load_results(run)
    (result,) = results.of(HumanResult).values()
    assert len(judge_decisions(result, results)) == COUNT
    asked = prompts(COUNT)
    run_of(run.folder.parent, "M2", "M1", asked, [("x" * 11, "y" * 5)] * COUNT, JUDGE)
    assert set(judge_decisions(result, load_results(run))) == {"e001"}
    captions = compare_models(load_results(run), ["M1", "M2"], "M1").captions
    assert any("was evaluated again since its pairs were drawn" in line for line in captions)
    assert not any("evaluated again" in line for line in compare_models(results, ["M1", "M2"], "M1").captions)


def test_votes_alone_can_be_compared_and_nobody_is_no_result(run):
    (run.folder / "evals" / "head-to-head" / "M2~M1.json").unlink()
    with pytest.raises(UnknownName):
        compare_models(load_results(run), ["M1", "M2"], "M1")
    cast(run, "ann", "wwwwwwww")
    found = compare_models(load_results(run), ["M1", "M2"], "M1")
    assert [one.key for one in found.metrics] == ["human", "human_length", "human_voted"]
    assert not any(one.key == "human_pair_judge" for side in found.extra_tables for one in side.metrics)
    with pytest.raises(UsageError):
        compare_models(load_results(run), ["M1"], "M1")


def test_every_format_has_them(run):
    cast(run, "ann", "wwwwtlwl")
    cast(run, "bob", "wwwltlwl")
    found = compare_models(load_results(run), ["M1", "M2"], "M1")
    data = json.loads(as_json(found))
    rows = {metric["key"]: metric for metric in data["metrics"]}
    assert rows["human"]["models"]["M2"]["difference"]["wins"] == 4
    side = data["sides"][-1]
    assert (side["title"], side["columns"], side["baseline"]) == ("People's votes, pair by pair", ["M2 : M1"], None)
    kappa = next(one for one in side["metrics"] if one["key"] == "human_pair_kappa")
    assert kappa["unit"] == "kappa"
    assert 0 < kappa["models"]["M2 : M1"]["value"] < 1
    assert "human_pair_judge_kappa,M2 : M1" in as_csv(found)
    assert "**People's votes, pair by pair**" in as_markdown(found)
    assert "votes, pair by pair" in as_html(found)
    assert "votes, pair by pair" in as_latex(found)
    assert not isnan(pair(found, "judge").value)
