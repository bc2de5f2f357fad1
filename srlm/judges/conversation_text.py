"""A conversation as text: what a judge sees in place of an instruction that has something before it.

The slot {{instruction}} of a judge's prompt is then filled with every message between tags of its role:

    A conversation. Its last message is the instruction.
    <system_message>
    You are brief.
    </system_message>
    <user_message>
    Name a river.
    </user_message>
    <assistant_message>
    The Nile.
    </assistant_message>
    <last_message>
    And a longer one?
    </last_message>

Each message is sanitised by itself, against these tags too, and so are the answers that are judged with it: the text of
one message cannot pose as another message, nor close a tag. An instruction without context is shown as it is, so that
its calls have the keys in the ledger that they always had.
"""

from collections.abc import Sequence

from srlm.judges.sanitize import sanitize
from srlm.types import Message

CONVERSATION_TAGS = frozenset({"system_message", "user_message", "assistant_message", "last_message"})
LEAD = "A conversation. Its last message is the instruction."


def tags_shown(tags: frozenset[str], context: Sequence[Message]) -> frozenset[str]:
    """Return the tags of a judge's prompt: its own and, with a context, those of the messages."""
    return tags | CONVERSATION_TAGS if context else tags


def conversation_text(context: Sequence[Message], instruction: str, tags: frozenset[str]) -> str:
    """Return the text of a context and the instruction after it; without a context, of the instruction alone.

    Args:
        context: the messages before the instruction.
        instruction: the user's last message.
        tags: of the judge's prompt, which no message may open or close (`tags_shown`).
    """
    if not context:
        return sanitize(instruction, tags)
    named = [*((f"{one.role}_message", one.content) for one in context), ("last_message", instruction)]
    return "\n".join([LEAD, *(f"<{name}>\n{sanitize(content, tags)}\n</{name}>" for name, content in named)])
