"""A conversation as plain text, as people and other tools read it: the role before each message."""

from typing import Protocol

from srlm.types import Message


class Asked(Protocol):
    """An instruction with the messages before it: a prompt, a ranked prompt, a match, and other records that have both.

    Attributes:
        instruction: the user's last message.
        context: the messages before it: a system message, and earlier turns that end with the assistant's.
    """

    @property
    def instruction(self) -> str: ...  # noqa: D102 - described above

    @property
    def context(self) -> tuple[Message, ...]: ...  # noqa: D102 - described above


def transcript(asked: Asked) -> str:
    """Return a conversation up to the instruction as text; without a context, the instruction as it is.

    Roles are words before the text ("User: "), so that the text of a message can look like another message. For a
    judge, whom such a text could mislead, there is `srlm.judges.conversation_text`.
    """
    if not asked.context:
        return asked.instruction
    messages = [*asked.context, Message("user", asked.instruction)]
    return "\n\n".join(f"{one.role.capitalize()}: {one.content}" for one in messages)
