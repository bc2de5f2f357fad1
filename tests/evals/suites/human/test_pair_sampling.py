"""Drawing pairs: seeded, the same for all, able to grow, and of the answers that were judged."""

import pytest

from evals.results import Provenance, save, stage_name
from evals.suites import load_results
from evals.suites.alpaca.result import AlpacaResult
from evals.suites.human import pair_sampling as drawing
from evals.suites.human.pair_sampling import exclusive_lock, order_pair
from evals.suites.human.result import load_annotation_set
from helpers.human_votes import CARD, LOSS, WIN, meet, prompts, run_of
from srlm.errors import UnknownName, UsageError
from srlm.types import Answer, Outcome


def get_or_draw(run, one, two, *asked):
    results = load_results(run)
    return drawing.get_or_draw(run, results, order_pair(results, one, two), *asked)


def ids(sheet):
    return [one.prompt_id for one in sheet.pairs]


def alpaca(run, model, asked, prompts="set", sampling="s"):
    """Answers of the suite alpaca, with their result."""
    texts = {one.id: f"{model} on {one.id}" for one in asked}
    answers = [Answer(f"{model}:{id}", id, model, text, "stop") for id, text in texts.items()]
    run.write(stage_name(run, "alpaca", model, "answers"), answers)
    outcomes = [Outcome(id, model, "reference", 0.5, (0.5, 0.5), len(t), 3, ("v",)) for id, t in texts.items()]
    save(run, AlpacaResult(model, "i", Provenance("j", "r", prompts, sampling), CARD, tuple(outcomes)))


def test_the_draw_is_seeded_kept_and_in_another_order_than_the_prompts(tmp_path):
    asked = prompts(80)
    first = get_or_draw(run_of(tmp_path / "a", "M2", "M1", asked), "M1", "M2", None, None, None)
    again = get_or_draw(run_of(tmp_path / "b", "M2", "M1", asked[::-1]), "M2", "M1", None, None, 0)
    other = get_or_draw(run_of(tmp_path / "c", "M2", "M1", asked), "M2", "M1", None, None, 1)
    assert (first.model, first.opponent) == ("M2", "M1")
    assert len(first.pairs) == 50
    assert ids(first) == ids(again) != sorted(ids(first))
    assert set(ids(first)) != set(ids(other))
    assert first.pairs[0].answer == f"The first text on {ids(first)[0]}."


def test_a_sheet_stands_whatever_is_evaluated_later_and_grows_at_its_end(tmp_path):
    asked = prompts(30)
    run = run_of(tmp_path, "M2", "M1", asked)
    small = get_or_draw(run, "M2", "M1", None, 10, 3)
    assert get_or_draw(run, "M2", "M1", None, None, None) == small
    large = get_or_draw(run, "M2", "M1", None, 25, None)
    assert large.pairs[:10] == small.pairs
    assert len(set(ids(large))) == 25
    assert len(get_or_draw(run, "M2", "M1", None, 99, None).pairs) == 30
    meet(run, "M2", "M1", prompts(31), [("x", "y")] * 31, [WIN] * 31)
    assert len(get_or_draw(run, "M2", "M1", None, None, None).pairs) == 30
    with pytest.raises(UsageError, match="another evaluation"):
        get_or_draw(run, "M2", "M1", None, 31, None)


@pytest.mark.parametrize(
    ("asked", "words"),
    [((None, 5, None), "shrink"), ((None, None, 4), "--seed 3"), (("alpaca", None, None), "--suite head-to-head")],
)
def test_a_sheet_is_not_changed_silently(tmp_path, asked, words):
    run = run_of(tmp_path, "M2", "M1", prompts(20))
    sheet = get_or_draw(run, "M2", "M1", None, 10, 3)
    with pytest.raises(UsageError, match=words):
        get_or_draw(run, "M2", "M1", *asked)
    assert load_annotation_set(run, ("M2", "M1")) == sheet


def test_answers_beside_the_reference_and_of_two_models_in_alpaca(tmp_path):
    asked = prompts(6)
    run = run_of(tmp_path, "M2", "M1", asked)
    digest = next((run.folder / "evals" / "prompts").glob("*.jsonl")).stem.replace("%3A", ":")
    for model in ("M1", "M3"):
        alpaca(run, model, asked, digest)
    beside = get_or_draw(run, "reference", "M3", None, None, None)
    assert (beside.model, beside.opponent, beside.source) == ("M3", "reference", "alpaca")
    assert {(one.answer, one.opponent_answer) for one in beside.pairs} == {
        (f"M3 on {one.id}", one.reference) for one in asked
    }
    two = get_or_draw(run, "M1", "M3", None, None, None)
    assert {one.opponent_answer for one in two.pairs} == {f"M1 on {one.id}" for one in asked}
    assert ids(two) == ids(beside)  # one seed draws the same prompts


@pytest.mark.parametrize("what", ["prompts", "sampling"])
def test_answers_that_came_about_otherwise_are_refused(tmp_path, what):
    asked = prompts(6)
    run = run_of(tmp_path, "M2", "M1", asked)
    alpaca(run, "M1", asked)
    alpaca(run, "M3", asked, **{what: "other"})
    with pytest.raises(UsageError, match=f"differ in their {what}"):
        get_or_draw(run, "M1", "M3", None, None, None)


def test_answers_that_are_not_those_that_were_judged_are_refused(tmp_path):
    asked = prompts(6)
    run = run_of(tmp_path, "M2", "M1", asked)
    run.write(stage_name(run, "head-to-head", "M2", "answers"), [Answer("a", "e000", "M2", "Something else.", "stop")])
    with pytest.raises(UsageError, match="M2 was evaluated again"):
        get_or_draw(run, "M2", "M1", None, None, None)


@pytest.mark.parametrize(
    ("pair", "suite", "error", "words"),
    [
        (("M2", "M9"), None, UnknownName, "'M9' does not exist"),
        (("M2", "M2"), None, UsageError, "named twice"),
        (("M2", "M1"), "nlp", UnknownName, "'nlp'"),
        (("M2", "reference"), None, UsageError, "srlm eval M2 --suite alpaca"),
        (("M3", "M1"), None, UsageError, "srlm eval M3 M1 --suite head-to-head"),
    ],
)
def test_what_cannot_be_shown_is_refused_with_what_to_do(tmp_path, pair, suite, error, words):
    run = run_of(tmp_path, "M2", "M1", prompts(4))
    meet(run, "M3", "M2", prompts(4), [("x", "y")] * 4, [LOSS] * 4)
    with pytest.raises(error, match=words):
        get_or_draw(run, *pair, suite, None, None)


def test_one_process_at_a_time(tmp_path):
    with exclusive_lock(tmp_path), pytest.raises(UsageError, match="Another srlm annotate"), exclusive_lock(tmp_path):
        pass
    with exclusive_lock(tmp_path):
        pass


def test_no_answer_of_both_is_said(tmp_path):
    asked = prompts(4)
    run = run_of(tmp_path, "M2", "M1", asked)
    run.write(stage_name(run, "head-to-head", "M2", "answers"), [])
    with pytest.raises(UsageError, match="nothing to show"):
        get_or_draw(run, "M2", "M1", None, None, None)
