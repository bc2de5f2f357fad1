"""Conversations as plain text."""

from srlm.transcript import transcript
from srlm.types import Message, Prompt

CONTEXT = (Message("system", "Be brief."), Message("user", "Hi."), Message("assistant", "Hello."))


def test_roles_are_before_the_messages_and_an_instruction_alone_is_as_it_is():
    assert transcript(Prompt("p", "User: no", "evaluation")) == "User: no"
    assert transcript(Prompt("p", "And?", "evaluation", context=CONTEXT)) == (
        "System: Be brief.\n\nUser: Hi.\n\nAssistant: Hello.\n\nUser: And?"
    )
