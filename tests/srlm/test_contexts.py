"""What comes before an instruction: well formed, or refused with the record's line."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srlm.errors import DataError
from srlm.jsonl import read_records, write_records
from srlm.seed_data import load_seeds
from srlm.types import Message, Prompt, check_context

roles = st.lists(st.sampled_from(["system", "user", "assistant"]), max_size=6)


@given(roles)
def test_a_system_message_may_come_first_and_whole_exchanges_after_it(given_roles):
    turns = given_roles[1:] if given_roles[:1] == ["system"] else given_roles
    well_formed = turns == ["user", "assistant"] * (len(turns) // 2)
    messages = tuple(Message(role, "x") for role in given_roles)
    if well_formed:
        assert check_context(messages) == messages
    else:
        with pytest.raises(ValueError, match=r"user and assistant alternate|the last message is the user's"):
            check_context(messages)


def test_a_record_keeps_its_context_and_one_without_is_read_as_ever(tmp_path):
    context = (Message("system", "Be brief."), Message("user", "Hi."), Message("assistant", "Hi."))
    prompts = [Prompt("a", "Go on.", "generated", context=context), Prompt("b", "Stop.", "generated")]
    write_records(tmp_path / "prompts.jsonl", prompts)
    assert read_records(tmp_path / "prompts.jsonl", Prompt) == prompts
    (tmp_path / "old.jsonl").write_text('{"id": "b", "instruction": "Stop.", "source": "generated"}\n')
    assert read_records(tmp_path / "old.jsonl", Prompt) == prompts[1:]


def test_a_passage_of_text_is_no_context_of_a_prompt(tmp_path):
    row = {"id": "a", "instruction": "Sum it up.", "source": "generated", "context": "A passage."}
    (tmp_path / "prompts.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"line 1.*context: must be a list of messages.*belongs to the instruction"):
        read_records(tmp_path / "prompts.jsonl", Prompt)


def seeds(folder, ift):
    """A folder of seeds with one ranked prompt, and these demonstrations."""
    answers = [{"text": "a", "rank": 0}, {"text": "b", "rank": 1}]
    eft = [{"id": f"e{n}", "instruction": f"{n}?", "answers": answers, "split": "train"} for n in range(9)]
    for name, rows in (("ift", ift), ("eft", eft)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(folder)


GOOD = {"instruction": "And in verse?", "response": "No."}
SYSTEM, ASKED, SAID = ({"role": role, "content": role.upper()} for role in ("system", "user", "assistant"))


def test_seeds_may_have_a_context_or_messages(tmp_path):
    last = [{"role": "user", "content": "And in verse?"}, {"role": "assistant", "content": "No."}]
    messages = [SYSTEM, ASKED, SAID, *last]
    given_rows = [{**GOOD, "context": [SYSTEM, ASKED, SAID]}, {"messages": messages}, {**GOOD, "context": None}, GOOD]
    one, two, three, four = load_seeds(seeds(tmp_path, given_rows)).ift
    assert one.context == (Message("system", "SYSTEM"), Message("user", "USER"), Message("assistant", "ASSISTANT"))
    assert (two.instruction, two.response, two.context) == (one.instruction, one.response, one.context)
    assert three.context == four.context == ()


@pytest.mark.parametrize(
    ("context", "said"),
    [
        ([ASKED, ASKED, SAID], "context: message 2 is of the role user, and assistant is expected"),
        ([SYSTEM, SAID], "context: message 2 is of the role assistant, and user is expected"),
        ([ASKED, SAID, SYSTEM], "context: message 3 is of the role system, and user is expected"),
        ([SYSTEM, ASKED], "context: the last message is the user's, and the assistant's answer to it is missing"),
        ([{"role": "bot", "content": "x"}], "context.0.role: Input should be 'system', 'user' or 'assistant'"),
        ([{"role": "user"}], "context.0.content: "),
        ({"role": "user", "content": "x"}, "context"),
    ],
)
def test_a_malformed_context_is_refused_with_its_line(tmp_path, context, said):
    with pytest.raises(DataError) as caught:
        load_seeds(seeds(tmp_path, [GOOD, {**GOOD, "context": context}]))
    assert f"{tmp_path / 'ift.jsonl'}" in str(caught.value)
    assert "line 2" in str(caught.value)
    assert said in str(caught.value)
    assert str(caught.value).count("\n") == 0
