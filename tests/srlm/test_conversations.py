"""Questions of several turns: the context, the turn to answer; and what is refused."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srlm.conversations import Question, messages_in, question_of
from srlm.errors import DataError
from srlm.json_files import Row
from srlm.types import Message

TEXTS = st.text(min_size=1).filter(str.strip)
NAMES = {"system": "system", "user": "human", "assistant": "gpt"}


def row(value):
    return Row(Path("chats.jsonl"), "line", 7, {"messages": value})


def question(value):
    found = row(value)
    return question_of(found, "messages", messages_in(found, "messages"))


def turns(*pairs):
    return [{"role": role, "content": text} for role, text in pairs]


@given(st.none() | TEXTS, st.lists(st.tuples(TEXTS, TEXTS), max_size=4), TEXTS, st.booleans())
def test_every_turn_is_in_one_part(system, before, last, sharegpt):
    pairs = [("system", system)] if system else []
    for asked, answered in before:
        pairs += [("user", asked), ("assistant", answered)]
    context = tuple(Message(role, text) for role, text in pairs)
    pairs.append(("user", last))
    given_as = [{"from": NAMES[role], "value": text} for role, text in pairs] if sharegpt else turns(*pairs)
    assert question(given_as) == Question(last, context)


def test_a_system_message_without_text_counts_as_none():
    assert question(turns(("system", " "), ("user", "Go."))) == Question("Go.")


@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        ([("assistant", "Hello.")], "message 1, the assistant's, is the first"),
        ([("user", "a"), ("user", "b")], "message 2, the user's, comes after the user's"),
        ([("user", "a"), ("assistant", "b"), ("assistant", "c")], "message 3, the assistant's, comes after"),
        ([("user", "a"), ("system", "b"), ("user", "c")], "message 2, the system's, comes after the user's"),
        ([("system", "a"), ("system", "b"), ("user", "c")], "message 2, the system's, comes after the system's"),
        ([("system", "a"), ("assistant", "b")], "message 2, the assistant's, comes after the system's"),
        ([("system", "a")], "no message of the user"),
        ([("user", "a"), ("assistant", "b")], "no message of the user that could be answered"),
        ([("user", "a"), ("assistant", "\n"), ("user", "b")], "message 2 of messages, the assistant's, has no text"),
        ([("user", "")], "message 1 of messages, the user's, has no text"),
        ([("tool", "a")], "the role 'tool' in messages is none of system, user and assistant"),
    ],
)
def test_what_cannot_be_answered_is_refused_with_its_line(pairs, said):
    with pytest.raises(DataError, match=f"^chats.jsonl, line 7: .*{said}"):
        question(turns(*pairs))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("text", "must be a list of messages, not text"),
        ([], "is an empty list"),
        (["text"], "must be text or messages"),
        ([{"role": "user", "content": None}], "must be text, not null"),
    ],
)
def test_a_field_without_messages_is_refused(value, said):
    with pytest.raises(DataError, match=f"^chats.jsonl, line 7: .*{said}"):
        question(value)
