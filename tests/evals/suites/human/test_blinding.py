"""Pairs: the same after every start, balanced sides, and nothing that tells whose answer is whose."""

import json
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.suites.human.blinding import AnnotationSession, clean_name
from evals.suites.human.votes import AnnotationSet, AnswerPair, read_votes
from helpers.human_votes import prompts
from srlm.errors import DataError, UsageError

MODEL, OPPONENT = "falcon-seven", "osprey-nine"


def sheet(count=20, seed=0):
    pairs = [AnswerPair(f"{MODEL}-{one.id}", one.instruction, f"A {one.id}", f"B {one.id}") for one in prompts(count)]
    return AnnotationSet(MODEL, OPPONENT, "head-to-head", "4:abc", "T=0.7", seed, tuple(pairs))


def session(tmp_path, **options):
    return AnnotationSession(sheet(**options), tmp_path)


@given(st.integers(0, 40), st.integers(0, 5), st.sampled_from(["ann", "bob", "zoë"]))
def test_every_pair_is_on_a_ballot_and_sides_are_balanced(tmp_path_factory, count, seed, annotator):
    pairs = session(tmp_path_factory.mktemp("b"), count=count, seed=seed).pairs(annotator)
    assert {frozenset((one.left, one.right)) for one in pairs} == {
        frozenset((one.answer, one.opponent_answer)) for one in sheet(count).pairs
    }
    first_left = sum(one.left.startswith("A") for one in pairs)
    assert abs(2 * first_left - count) <= 1
    assert len({one.id for one in pairs}) == count


def test_order_and_sides_are_the_annotators_own_and_stay(tmp_path):
    one, again = session(tmp_path).pairs("ann"), session(tmp_path).pairs("ann")
    other = session(tmp_path).pairs("bob")
    assert one == again
    assert [pair.instruction for pair in one] != [pair.instruction for pair in other]
    sides = [{pair.instruction: pair.left for pair in pairs} for pairs in (one, other)]
    assert sides[0] != sides[1]
    assert not {pair.id for pair in one} & {pair.id for pair in other}


def test_sides_and_ids_stay_when_the_sheet_grows(tmp_path):
    small = {pair.id: pair for pair in session(tmp_path, count=11).pairs("ann")}
    large = {pair.id: pair for pair in session(tmp_path, count=40).pairs("ann")}
    assert small.items() <= large.items()


def test_ballots_name_no_model_and_no_prompt(tmp_path):
    text = json.dumps([asdict(one) for one in session(tmp_path).pairs("ann")])
    assert MODEL not in text
    assert OPPONENT not in text


@pytest.mark.parametrize("choice", ["left", "right", "tie"])
def test_a_vote_is_for_the_model_whose_answer_was_chosen_and_comes_back(tmp_path, choice):
    place = session(tmp_path)
    for pair in place.pairs("ann"):
        place.record_vote("ann", pair.id, choice)
        vote = read_votes(tmp_path / "ann.jsonl")[-1]
        assert (vote.left == "model") == pair.left.startswith("A")
        text = {"left": pair.left, "right": pair.right, "tie": "T"}[choice]
        assert vote.verdict == {"A": "win", "B": "loss", "T": "tie"}[text[0]]
    assert {one.choice for one in session(tmp_path).pairs("ann")} == {choice}
    assert {one.choice for one in session(tmp_path).pairs("bob")} == {None}
    assert session(tmp_path).counts() == {"ann": 20}


def test_a_ballot_of_somebody_else_is_no_ballot(tmp_path):
    place = session(tmp_path)
    with pytest.raises(KeyError):
        place.record_vote("ann", place.pairs("bob")[0].id, "left")
    assert not list(tmp_path.iterdir())


def test_a_damaged_file_is_said(tmp_path):
    (tmp_path / "ann.jsonl").write_text("{\n{\n")
    with pytest.raises(DataError, match="line 1"):
        session(tmp_path).pairs("ann")


def test_names_are_kept_in_small_letters():
    assert clean_name("  Ann  Lee ") == "ann lee"


@pytest.mark.parametrize("name", ["", "  ", "x" * 41, "a\x00b", "\u202e"])
def test_names_that_no_file_can_have_are_refused(name):
    with pytest.raises(UsageError, match="1 to 40 characters"):
        clean_name(name)


@pytest.mark.parametrize("name", ["..", "a/b", "../../x", ".", "~"])
def test_no_name_leaves_the_folder(tmp_path, name):
    folder = tmp_path / "votes"
    place = AnnotationSession(sheet(2), folder)
    place.record_vote(clean_name(name), place.pairs(clean_name(name))[0].id, "tie")
    assert [path.parent for path in tmp_path.rglob("*.jsonl")] == [folder]
    assert place.counts() == {name: 1}


@pytest.mark.parametrize("name", ["con", "nul", "aux.txt", "模" * 40, "🦅" * 40, "ann.", "zoë"])
def test_every_name_has_one_file_on_every_system(tmp_path, name):
    place = session(tmp_path, count=2)
    place.record_vote(clean_name(name), place.pairs(clean_name(name))[0].id, "left")
    (file,) = tmp_path.iterdir()
    assert len(file.name) < 120
    assert file.name.partition(".")[0] not in {"con", "nul", "aux"}
    assert place.counts() == {name: 1}


def test_votes_that_an_earlier_version_wrote_go_on(tmp_path):
    place = session(tmp_path, count=2)
    one, two = place.pairs("con")
    place.record_vote("con", one.id, "left")
    (file,) = tmp_path.iterdir()
    file.rename(tmp_path / "con.jsonl")
    place.record_vote("con", two.id, "left")
    assert [one.name for one in tmp_path.iterdir()] == ["con.jsonl"]
    assert session(tmp_path, count=2).counts() == {"con": 2}
