"""A conversation as plain text, as people and other tools read it: the role before each message."""

from collections.abc import Sequence

from srlm.types import Message


def transcript(context: Sequence[Message], instruction: str) -> str:
    """Return the text of a context and the instruction after it; without a context, the instruction as it is.

    Roles are words before the text ("User: "), so that the text of a message can look like another message. For a
    judge, whom such a text could mislead, there is `srlm.judges.conversation_text`.
    """
    if not context:
        return instruction
    messages = [*context, Message("user", instruction)]
    return "\n\n".join(f"{one.role.capitalize()}: {one.content}" for one in messages)
