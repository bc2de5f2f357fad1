"""FastChat's files: read, and refused with the record that is wrong."""

import gzip
import json

import pytest

from evals.suites.mt_bench.data import WITH_REFERENCE
from evals.suites.mt_bench.files import read_answers, read_judgements, read_questions, read_referenced_questions
from helpers.paths import SHARED_DATA
from helpers.refusals import refusal

DATA = SHARED_DATA / "mt_bench"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"needs MT-Bench's files in {DATA}")

JUDGEMENT = {"question_id": 81, "model": "m", "judge": ["gpt-4", "single-v1"], "turn": 1, "score": 7}
JUDGEMENT |= {"judgment": "Well done. Rating: [[7]]"}
QUESTION = {"question_id": 1, "category": "writing", "turns": ["Write.", "Again."]}
ANSWER = {"question_id": 1, "choices": [{"index": 0, "turns": ["Written.", "Rewritten."]}]}


def lines(path, *records):
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(one) + "\n" for one in records), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, "has the judgement of m on turn 1 of question 81 of line 1 again"),
        ({"turn": 3}, "turn must be 1 or 2"),
        ({"turn": True}, "turn must be 1 or 2"),
        ({"turn": None}, "turn must be 1 or 2"),
        ({"turn": 2, "score": None}, "score must be"),
        ({"turn": 2, "score": "7"}, "score must be"),
        ({"turn": 2, "score": True}, "score must be"),
        ({"turn": 2, "score": 11}, "not 11"),
        ({"turn": 2, "score": 10**400}, "not 1000"),
        ({"turn": 2, "score": -2}, "not -2"),
        ({"turn": 2, "score": float("nan")}, "not nan"),
        ({"turn": 2, "score": float("inf")}, "not inf"),
        ({"turn": 2, "question_id": 7}, "no question 7"),
        ({"turn": 2, "question_id": "81"}, "whole number"),
        ({"turn": 2, "model": None}, "model must be text"),
        ({"turn": 2, "judgment": None}, "judgment must be text"),
        ({"turn": 2, "judge": ["claude", "single-v1"]}, "one judge a file"),
        ({"turn": 2, "judge": "gpt-4"}, "judge must be"),
        ({"turn": 2, "g1_winner": "tie"}, "pair of answers"),
    ],
)
def test_a_judgement_that_is_none_is_refused_with_its_line(tmp_path, change, words):
    path = lines(tmp_path / "j.jsonl", JUDGEMENT, {**JUDGEMENT, **change})
    message = refusal(read_judgements, path)
    assert "j.jsonl, line 2: " in message
    assert words in message


@pytest.mark.parametrize("field", sorted(JUDGEMENT))
def test_a_judgement_without_a_field_is_refused(tmp_path, field):
    rest = {key: value for key, value in JUDGEMENT.items() if key != field}
    message = refusal(read_judgements, lines(tmp_path / "j.jsonl", rest))
    assert "line 1: " in message
    assert field in message


def test_a_file_without_any_score_or_cut_short_is_refused(tmp_path):
    path = lines(tmp_path / "j.jsonl", {**JUDGEMENT, "score": -1}, {**JUDGEMENT, "score": -1, "turn": 2})
    assert "holds no score" in refusal(read_judgements, path)
    assert "holds no record" in refusal(read_judgements, lines(tmp_path / "empty.jsonl"))
    packed = tmp_path / "cut.jsonl.gz"
    packed.write_bytes(gzip.compress(path.read_bytes())[:-12])
    assert "cut short" in refusal(read_judgements, packed)


def test_models_stand_in_the_order_of_the_file_plain_or_packed(tmp_path):
    path = lines(tmp_path / "j.jsonl", {**JUDGEMENT, "model": "z"}, JUDGEMENT, {**JUDGEMENT, "turn": 2, "score": -1})
    packed = tmp_path / "j.jsonl.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    found = read_judgements(path)
    assert found == read_judgements(packed)
    assert (found.judge, list(found.models)) == ("gpt-4", ["z", "m"])
    assert [(one.turn, one.score, one.by_text) for one in found.models["m"]] == [(1, 7.0, 7.0), (2, None, 7.0)]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, "has the question 1 of line 1 again"),
        ({"question_id": 2, "turns": ["One."]}, "turns must be a list of two texts"),
        ({"question_id": 2, "turns": ["One.", None]}, "turns must be a list of two texts"),
        ({"question_id": 2, "category": 5}, "category must be text"),
    ],
)
def test_a_question_that_is_none_is_refused_with_its_line(tmp_path, change, words):
    message = refusal(read_questions, lines(tmp_path / "question.jsonl", QUESTION, {**QUESTION, **change}))
    assert "line 2: " in message
    assert words in message


def test_references_are_found_beside_the_questions_and_missed_where_they_are_needed(tmp_path):
    writing, maths = QUESTION, {**QUESTION, "question_id": 2, "category": "math"}
    lines(tmp_path / "question.jsonl", writing)
    assert [one.references for one in read_referenced_questions(tmp_path)] == [None]
    lines(tmp_path / "question.jsonl", writing, maths)
    assert "one file of reference answers is expected" in refusal(read_referenced_questions, tmp_path)
    references = lines(tmp_path / "reference_answer" / "gpt-4.jsonl", ANSWER)
    assert "no reference answer to question 2" in refusal(read_referenced_questions, tmp_path / "question.jsonl")
    lines(references, ANSWER, {**ANSWER, "question_id": 2})
    assert [one.references for one in read_referenced_questions(tmp_path)] == [None, ("Written.", "Rewritten.")]
    assert "holds no question.jsonl" in refusal(read_questions, tmp_path / "reference_answer")


@pytest.mark.parametrize("change", [{}, {"choices": []}, {"choices": [{"turns": ["One."]}]}, {"choices": None}])
def test_an_answer_that_is_none_is_refused_with_its_line(tmp_path, change):
    change = {"question_id": 2, **change} if change else {}
    assert "line 2: " in refusal(read_answers, lines(tmp_path / "a.jsonl", ANSWER, {**ANSWER, **change}))


@needs_data
def test_fastchats_own_files_are_read():
    questions = read_referenced_questions(DATA)
    assert len(questions) == 80
    assert {one.category for one in questions if one.references} == WITH_REFERENCE
    assert sum(one.references is not None for one in questions) == 30
    for file in sorted((DATA / "model_answer").iterdir()):
        assert read_answers(file).keys() == {one.id for one in questions}
