"""Questions and answers in records with messages: the conversational formats of TRL, ShareGPT and OpenAI.

`question_of` reads a question of any number of turns as a context and the last turn of the user. The other functions
read a question of one turn, after the system message if there is one, and refuse conversations of more turns.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from srlm.json_files import Row, kind_of
from srlm.types import Message

QUESTIONS = ("instruction", "prompt")
ANSWERS = ("output", "response", "completion")
CONVERSATIONS = ("messages", "conversations", "conversation")

Role = Literal["system", "user", "assistant"]
SYSTEM: Role = "system"
USER: Role = "user"
ASSISTANT: Role = "assistant"
_ROLES: dict[str, Role] = {
    "system": SYSTEM,
    "developer": SYSTEM,
    "user": USER,
    "human": USER,
    "prompter": USER,
    "assistant": ASSISTANT,
    "gpt": ASSISTANT,
    "chatgpt": ASSISTANT,
    "model": ASSISTANT,
    "bot": ASSISTANT,
}

Turn = tuple[Role, str]
"""Role and content."""


@dataclass(frozen=True)
class Question:
    """The user's last turn. `context` is what comes before it, as in `srlm.types.Prompt`."""

    instruction: str
    context: tuple[Message, ...] = ()


def messages_in(row: Row, name: str) -> tuple[Message, ...]:
    """Return the messages of a field.

    Raises:
        DataError: it is no list of messages, or an empty one; the message has the record's position.
    """
    value = row.data.get(name)
    if not isinstance(value, list):
        raise row.error(f"the field {name} must be a list of messages, not {kind_of(value)}.")
    return tuple(Message(role, text) for role, text in _turns(row, name, value))


def question_of(row: Row, name: str, messages: Sequence[Message]) -> Question:
    """Return the messages before an answer as a question. A system message without text counts as none.

    Raises:
        DataError: they do not end with the user's, the roles are not in order (a system message at the most, then the
            user and the assistant in turn), or a message has no text; the message has the record's position.
    """
    has_system = bool(messages) and messages[0].role == SYSTEM
    for place, message in enumerate(messages[has_system:], start=1 + has_system):
        if message.role != (USER, ASSISTANT)[(place - 1 - has_system) % 2]:
            before = f"comes after the {messages[place - 2].role}'s" if place > 1 else "is the first"
            raise row.error(
                f"the roles in {name} are out of order: message {place}, the {message.role}'s, {before}. A system "
                "message may come first, then user and assistant alternate. Correct the record, or leave it out."
            )
        if not message.content.strip():
            raise row.error(f"message {place} of {name}, the {message.role}'s, has no text. Leave out the record.")
    if not messages or messages[-1].role != USER:
        raise row.error(f"{name} has no message of the user that could be answered. Leave out the record.")
    return Question(messages[-1].content, tuple(one for one in messages[:-1] if one.content.strip()))


def question_in(row: Row, *names: str) -> str:
    """Return the question of a field with text or messages.

    Raises:
        DataError: none of the fields exists, or it is neither; the message has the record's position.
    """
    name = _present(row, names)
    value = row.data.get(name)
    return _question(row, name, _turns(row, name, value)) if isinstance(value, list) else row.text(*names)


def answer_in(row: Row, *names: str) -> tuple[str | None, str]:
    """Return (question, answer) of a field with text or messages; the question is None if it is not in the field.

    Raises:
        DataError: none of the fields exists, or it is neither; the message has the record's position.
    """
    name = _present(row, names)
    value = row.data.get(name)
    if not isinstance(value, list):
        return None, row.text(*names)
    turns = _turns(row, name, value)
    if turns[-1][0] != ASSISTANT:
        raise row.error(f"the last message of {name} must be the assistant's; it is the {turns[-1][0]}'s.")
    before = turns[:-1]
    return (_question(row, name, before) if before else None), turns[-1][1]


def asked_and_answered(row: Row) -> tuple[str, str]:
    """Return the question and the answer of a record; an `input` is appended to the instruction.

    Raises:
        DataError: one of them is missing or has a wrong type; the message has the record's position.
    """
    fields = ANSWERS if {*ANSWERS} & row.data.keys() or not {*CONVERSATIONS} & row.data.keys() else CONVERSATIONS
    asked, answer = answer_in(row, *fields)
    if asked is None or {*QUESTIONS} & row.data.keys():
        asked = question_in(row, *QUESTIONS)
    if row.data.get("input"):
        asked = f"{asked}\n\n{row.text('input')}"
    return asked, answer


def _present(row: Row, names: Sequence[str]) -> str:
    return next((name for name in names if name in row.data), names[0])


def _turns(row: Row, name: str, value: list[Any]) -> list[Turn]:
    if not value:
        raise row.error(f"the field {name} is an empty list; text or messages are expected.")
    return [_turn(row, name, one) for one in value]


def _turn(row: Row, name: str, message: Any) -> Turn:
    if not isinstance(message, dict) or not {"role", "from"} & message.keys():
        raise row.error_with_hint(
            f"the field {name} must be text or messages (role, content), not a list of something else."
        )
    role, content = message.get("role", message.get("from")), message.get("content", message.get("value"))
    known = _ROLES.get(role) if isinstance(role, str) else None
    if known is None:
        raise row.error(f"the role {str(role)[:40]!r} in {name} is none of system, user and assistant.")
    if isinstance(content, list) and all(isinstance(one, dict) and isinstance(one.get("text"), str) for one in content):
        content = "".join(one["text"] for one in content)
    if not isinstance(content, str):
        raise row.error(f"the content of a message in {name} must be text, not {kind_of(content)}.")
    return known, content


def _question(row: Row, name: str, turns: Sequence[Turn]) -> str:
    roles = [role for role, _ in turns]
    if roles not in ([USER], [SYSTEM, USER]):
        raise row.error(
            f"{name} has {len(turns)} messages before the answer ({', '.join(roles[:5])}); a question of one turn is "
            "expected, with a system message at the most. Leave out conversations of several turns."
        )
    return "\n\n".join(text for _, text in turns if text)
