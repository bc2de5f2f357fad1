"""AlpacaEval's files: written and read again, and refused with the record that is wrong."""

import gzip
import json
from math import log

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from evals.single_turn import Output, prompts_of, read_outputs
from evals.suites.alpaca.files import (
    Annotation,
    Annotations,
    preference_by_tokens,
    read_annotations,
    read_difficulties,
    write_annotations,
    write_outputs,
)
from helpers.paths import SHARED_DATA
from helpers.refusals import refusal
from srlm.seeding import model_first
from srlm.transcript import transcript
from srlm.types import Message

DATA = SHARED_DATA / "alpaca_eval"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"needs AlpacaEval's files in {DATA}")

RECORD = {
    "instruction": "Name a colour.",
    "output_1": "Red, for instance.",
    "generator_1": "base",
    "output_2": "Blue",
    "generator_2": "tuned",
    "annotator": "someone",
    "preference": 1.75,
}
HEADER = "preference,index,std_delta_len,instruction_difficulty,not_gamed_baseline,model"


def records(*changes):
    return [{**RECORD, "instruction": f"Question {place}?", **change} for place, change in enumerate(changes)]


def written(path, data):
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


# --- annotations ------------------------------------------------------------------------------------------------------


def test_annotations_are_read_with_the_baseline_first(tmp_path):
    exchanged = {"output_1": "Blue", "generator_1": "tuned", "output_2": "Red", "generator_2": "base"}
    path = written(tmp_path / "a.json", records({}, {"preference": None}, {**exchanged, "preference": 1.25}))
    found = read_annotations(path)
    assert (found.model, found.baseline, found.annotator) == ("tuned", "base", "someone")
    assert [row.preference for row in found.rows] == [0.75, None, 0.75]
    assert [row.swapped for row in found.rows] == [False, False, True]
    assert found.rows[2] == Annotation("Question 2?", "Red", "Blue", 0.75, swapped=True)


def test_zero_is_a_draw_of_older_annotators(tmp_path):
    (row,) = read_annotations(written(tmp_path / "a.json", records({"preference": 0}))).rows
    assert row.preference == 0.5


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"output_2": None}, "record 2: the field output_2 must be text, not null."),
        ({"preference": 3}, "record 2: the preference must be a number from 1 (the baseline) to 2, or null, not 3."),
        ({"preference": True}, "not True."),
        ({"preference": "1.5"}, "not '1.5'."),
        ({"preference": float("nan")}, "not nan."),
        ({"instruction": "Question 0?"}, "record 2: has the instruction of record 1 again."),
        ({"generator_2": "another"}, "record 2: is about another against base"),
        ({"annotator": "a second judge"}, "one judge a file"),
    ],
)
def test_a_record_that_is_wrong_is_named(tmp_path, change, words):
    path = written(tmp_path / "a.json", records({}, change))
    assert words in refusal(read_annotations, path)


@pytest.mark.parametrize("field", ["instruction", "output_1", "generator_1", "output_2", "generator_2", "preference"])
def test_a_field_that_is_missing_is_named(tmp_path, field):
    data = records({}, {})
    del data[1][field]
    message = refusal(read_annotations, written(tmp_path / "a.json", data))
    assert "record 2" in message
    assert f"the field {field} is missing" in message


def test_a_file_without_any_preference_is_refused(tmp_path):
    path = written(tmp_path / "a.json", records({"preference": None}, {"preference": None}))
    assert "holds no preference" in refusal(read_annotations, path)


def test_lines_are_named_as_lines(tmp_path):
    good = json.dumps(RECORD)
    path = tmp_path / "a.jsonl"
    path.write_text(f"{good}\n\n{good}\n", encoding="utf-8")
    assert "line 3: has the instruction of line 1 again." in refusal(read_annotations, path)


@given(cut=st.floats(0.2, 0.99), packed=st.booleans())
@settings(deadline=None, max_examples=60)
def test_a_file_that_is_cut_short_is_refused(tmp_path_factory, cut, packed):
    whole = json.dumps(records({}, {}, {})).encode()
    whole = gzip.compress(whole) if packed else whole
    path = tmp_path_factory.mktemp("cut") / ("a.json.gz" if packed else "a.json")
    path.write_bytes(whole[: max(1, int(cut * len(whole)))])
    message = refusal(read_annotations, path)
    assert ("cut short" if packed else "not JSON") in message


PREFERENCES = st.one_of(st.none(), st.floats(0, 1))


@given(preferences=st.lists(PREFERENCES, min_size=1, max_size=8).filter(any), texts=st.lists(st.text(), min_size=8))
@settings(deadline=None, max_examples=20)
def test_what_is_written_is_read_again(tmp_path_factory, preferences, texts):
    clean = [text.encode("utf-8", "ignore").decode() for text in texts]
    rows = tuple(
        Annotation(f"{place} {clean[place]}", clean[-place], clean[place - 1], preference, dataset="koala")
        for place, preference in enumerate(preferences)
    )
    path = tmp_path_factory.mktemp("written") / "annotations.json"
    write_annotations(path, Annotations("tuned", "base", "someone", rows))
    found = read_annotations(path)
    assert (found.model, found.baseline, found.annotator) == ("tuned", "base", "someone")
    for row, again in zip(rows, found.rows, strict=True):
        assert again.preference == (None if row.preference is None else pytest.approx(row.preference, abs=1e-15))
        assert (again.instruction, again.baseline_output, again.model_output) == (
            row.instruction,
            row.baseline_output,
            row.model_output,
        )


# --- the judge's tokens -----------------------------------------------------------------------------------------------


def completion(**logprobs):
    top = [{"token": token, "logprob": value} for token, value in logprobs.items()]
    return {"logprobs": {"content": [{"token": "m", "top_logprobs": top}]}}


def test_the_preference_is_the_share_of_the_models_letter():
    first = next(text for text in map(str, range(20)) if model_first(text))
    second = next(text for text in map(str, range(20)) if not model_first(text))
    said = completion(m=log(0.2), M=log(0.6), The=log(0.1))
    assert preference_by_tokens(said, second) == pytest.approx(0.75)
    assert preference_by_tokens(said, first) == pytest.approx(0.25)
    assert preference_by_tokens(completion(M=-0.1), second) == 1
    assert preference_by_tokens(completion(M=-0.1), first) == 0


@pytest.mark.parametrize(
    "said",
    [
        None,
        {},
        [],
        "m",
        {"logprobs": None},
        {"logprobs": {"content": []}},
        completion(The=-0.1),
        completion(m=float("nan")),
        completion(m=1e9),
        completion(m=-1e9),
        completion(m="x"),
    ],
)
def test_where_the_tokens_say_nothing_there_is_no_preference(said):
    assert preference_by_tokens(said, "Name a colour.") is None


@needs_data
def test_the_order_of_presentation_is_the_published_one():
    outputs = read_outputs(DATA / "model_outputs" / "gpt4_1106_preview.json.gz")
    order = json.loads((DATA / "presentation_order.json").read_text(encoding="utf-8"))
    assert [model_first(one.instruction) for one in outputs] == order


# --- outputs ----------------------------------------------------------------------------------------------------------


def test_outputs_are_written_read_and_made_prompts_of(tmp_path):
    outputs = [Output(f"Question {place}?", f"Answer {place}", "base", "koala") for place in range(12)]
    write_outputs(tmp_path / "o.json", outputs)
    assert read_outputs(tmp_path / "o.json") == outputs
    prompts = prompts_of(outputs)
    assert [prompt.instruction for prompt in sorted(prompts, key=lambda prompt: prompt.id)] == [
        one.instruction for one in outputs
    ]
    assert prompts[3].reference == "Answer 3"


SAID = st.text(max_size=30).map(lambda text: text.encode("utf-8", "ignore").decode()).filter(str.strip)
TURNS = st.lists(st.tuples(SAID, SAID), max_size=3)


@given(conversations=st.lists(st.tuples(st.none() | SAID, TURNS, SAID), min_size=1, max_size=4, unique_by=repr))
@settings(deadline=None, max_examples=30)
def test_conversations_are_written_as_text_and_read_as_they_were(tmp_path_factory, conversations):
    folder = tmp_path_factory.mktemp("written")
    outputs, rows = [], []
    for system, turns, last in conversations:
        before = [] if system is None else [Message("system", system)]
        context = (*before, *(one for turn in turns for one in map(Message, ("user", "assistant"), turn)))
        outputs.append(Output(last, "x", "m", "d", context))
        rows.append(Annotation(last, "x", "y", 0.25, dataset="d", context=context))
    assume(len({transcript(one) for one in rows}) == len(rows))
    write_outputs(folder / "o.json", outputs)
    assert read_outputs(folder / "o.json") == outputs
    write_annotations(folder / "a.json", Annotations("m", "base", "someone", tuple(rows)))
    assert read_annotations(folder / "a.json").rows == tuple(rows)
    for one, record in zip(outputs, json.loads((folder / "o.json").read_text(encoding="utf-8")), strict=True):
        assert ("messages_json" in record) == bool(one.context)
        assert record["instruction"].endswith(one.instruction)
        assert all(message.content in record["instruction"] for message in one.context)
        assert all(isinstance(value, str) for value in record.values())  # alpaca_eval cannot read lists


def test_a_row_that_alpaca_eval_wrote_without_messages_is_read(tmp_path):
    path = written(tmp_path / "a.json", [{**RECORD, "messages_json": None}])
    assert read_annotations(path).rows[0].context == ()


@needs_data
def test_the_published_outputs_are_805_prompts():
    assert len(prompts_of(read_outputs(DATA / "model_outputs" / "gpt4_1106_preview.json.gz"))) == 805


def test_outputs_of_one_instruction_twice_are_refused(tmp_path):
    path = written(tmp_path / "o.json", [{"instruction": "i", "output": "a"}, {"instruction": "i", "output": "b"}])
    assert "record 2: has the instruction of record 1 again." in refusal(read_outputs, path)


# --- df_gamed.csv -----------------------------------------------------------------------------------------------------


def test_the_rows_are_read_with_a_difficulty_for_each_prompt(tmp_path):
    path = tmp_path / "df_gamed.csv"
    path.write_text(f"{HEADER}\n0.25,0,1.5,0,False,c\n,1,-2,0.5,False,c\n0.75,0,0.5,0,False,v\n", encoding="utf-8")
    found = read_difficulties(path)
    assert found.difficulty.tolist() == [0, 0.5]
    assert found.row_tanh == pytest.approx(np.tanh([1.5, 0.5]))
    assert found.row_preference.tolist() == [0.25, 0.75]  # a row without a verdict says nothing


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b\n1,2\n", "line 2: the column 'index'"),
        (f"{HEADER}\n0.5,0,1,0,False,c\n0.5,1,x,0,False,c\n", "line 3: a value is missing or is not a number"),
        (f"{HEADER}\n0.5,0,1,0,False,c\n0.5\n", "line 3: a value is missing"),
        (f"{HEADER}\n1.5,0,1,0,False,c\n", "line 2: a value is out of range"),
        (f"{HEADER}\n0.5,0,nan,0,False,c\n", "line 2: a value is out of range"),
        (f"{HEADER}\n0.5,1,1,0,False,c\n", "each prompt"),
        ("", "each prompt"),
    ],
)
def test_a_table_that_is_wrong_is_refused(tmp_path, text, words):
    path = tmp_path / "df_gamed.csv"
    path.write_text(text, encoding="utf-8")
    assert words in refusal(read_difficulties, path)


@needs_data
def test_the_difficulties_are_those_of_the_published_table():
    lines = (DATA / "instruction_difficulty.csv").read_text(encoding="utf-8").splitlines()[1:]
    found = read_difficulties(DATA / "df_gamed.csv")
    assert found.difficulty.tolist() == [float(line.split(",")[1]) for line in lines]
    assert found.row_preference @ found.row_tanh == pytest.approx(-182.6923898, abs=1e-6)
    assert found.row_preference @ found.row_difficulty == pytest.approx(413.0468489, abs=1e-6)
