"""Prompts that get one answer: the ids of a baseline's outputs, and the forms of conversations."""

import json

import pytest

from evals.single_turn import number_of_id, numbered_id, prompts_of, read_outputs
from srlm.errors import DataError
from srlm.types import Message


@pytest.mark.parametrize("number", [1, 42, 805, 12345])
def test_the_number_of_a_prompt_is_read_back_from_its_id(number):
    assert number_of_id(numbered_id(number)) == number


@pytest.mark.parametrize("prompt_id", ["alpaca-", "alpaca", "alpaca-x1", "alpaca--1", "7", "e0001", "", "p-0001"])
def test_other_ids_have_no_number(prompt_id):
    assert number_of_id(prompt_id) is None


MESSAGES = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Name a river."},
    {"role": "assistant", "content": "The Nile."},
    {"role": "user", "content": "A longer one?"},
]
CONTEXT = tuple(Message(**one) for one in MESSAGES[:-1])


@pytest.mark.parametrize(
    "record",
    [
        {"messages": MESSAGES, "output": "None."},
        {"messages": [*MESSAGES, {"role": "assistant", "content": "None."}]},
        {"instruction": "its text", "messages": MESSAGES, "output": "None."},
        {"instruction": "its text", "messages_json": json.dumps(MESSAGES), "output": "None."},
        {"conversations": [{"from": one["role"], "value": one["content"]} for one in MESSAGES], "output": "None."},
        {"prompt": MESSAGES, "output": "None."},
        {"prompt": "A longer one?", "context": MESSAGES[:-1], "output": "None."},
        {
            "system": "Be brief.",
            "history": [["Name a river.", "The Nile."]],
            "instruction": "A longer one?",
            "output": "None.",
        },
    ],
)
def test_a_conversation_is_read_from_each_form(tmp_path, record):
    path = tmp_path / "x.json"
    path.write_text(json.dumps([record]))
    (prompt,) = prompts_of(read_outputs(path))
    assert (prompt.id, prompt.context, prompt.instruction, prompt.reference) == (
        "alpaca-0001",
        CONTEXT,
        "A longer one?",
        "None.",
    )


def test_the_same_last_turn_of_another_conversation_is_another_prompt(tmp_path):
    path = tmp_path / "x.json"
    other = [{"role": "user", "content": "A longer one?"}]
    path.write_text(json.dumps([{"messages": one, "output": "x"} for one in (MESSAGES, other)]))
    assert [len(one.context) for one in read_outputs(path)] == [3, 0]
    path.write_text(json.dumps([{"messages": one, "output": "x"} for one in (MESSAGES, MESSAGES)]))
    with pytest.raises(DataError, match="record 2: has the instruction of record 1 again"):
        read_outputs(path)


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ({"messages": MESSAGES}, "the field output is missing"),
        ({"messages_json": "{", "output": "x"}, "messages_json must be a list of messages as JSON text"),
        ({"messages_json": '{"role": "user"}', "output": "x"}, "must be a list of messages, not an object"),
        ({"output": "x"}, "the field instruction or prompt or question is missing"),
    ],
)
def test_a_record_without_a_question_or_an_output_is_named(tmp_path, record, words):
    path = tmp_path / "x.json"
    path.write_text(json.dumps([record]))
    with pytest.raises(DataError, match=f"record 1: .*{words}"):
        read_outputs(path)


def test_prompts_alone_are_read_where_no_output_is_needed(tmp_path):
    path = tmp_path / "x.json"
    path.write_text(json.dumps([{"messages": MESSAGES}, {"prompt": "Hi."}]))
    assert [one.output for one in read_outputs(path, answered=False)] == [None, None]
