"""Questions and answers in records with messages: the conversational formats of TRL, ShareGPT and OpenAI.

A question is the last turn of the user, with what comes before it as its context: a system message, and earlier turns
that alternate between user and assistant. An answer is the assistant's turn after it. A record may have its system
message (`system`) and earlier turns (`history`, pairs of texts) in fields of their own, as Alpaca's relatives do, or
both as messages (`context`), as srlm's own records do.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from srlm.json_files import Row, kind_of
from srlm.types import Message

QUESTIONS = ("instruction", "prompt", "question")
ANSWERS = ("output", "response", "completion")
CONVERSATIONS = ("messages", "conversations", "conversation")
SYSTEM = ("system", "system_prompt")
CONTEXT_FIELDS = ("input", *SYSTEM, "history", "context")
"""Fields that belong to the question of another field."""

Role = Literal["system", "user", "assistant"]
_ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "prompter": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "model": "assistant",
    "bot": "assistant",
}


@dataclass(frozen=True)
class Question:
    """The user's last turn. `context` is what comes before it, as in `srlm.types.Prompt`."""

    instruction: str
    context: tuple[Message, ...] = ()


def question_in(row: Row, *names: str) -> Question:
    """Return the question of a field with text or messages, with the system message and history of the record.

    Raises:
        DataError: none of the fields exists, or it is neither; the message has the record's position.
    """
    name = _present(row, names)
    if isinstance(row.data.get(name), list):
        question = question_of(row, name, messages_in(row, name))
    else:
        question = Question(row.text(*names))
    return _with_fields(row, question)


def answer_in(row: Row, *names: str) -> tuple[Question | None, str]:
    """Return (question, answer) of a field with text or messages; the question is None if it is not in the field.

    Raises:
        DataError: none of the fields exists, or it is neither; the message has the record's position.
    """
    name = _present(row, names)
    if isinstance(row.data.get(name), dict):  # a single message, as LLaMA-Factory's pairs have it
        row = Row(row.path, row.unit, row.number, {**row.data, name: [row.data[name]]})
    if not isinstance(row.data.get(name), list):
        return None, row.text(*names)
    messages = messages_in(row, name)
    if messages[-1].role != "assistant":
        raise row.error(f"the last message of {name} must be the assistant's; it is the {messages[-1].role}'s.")
    before = messages[:-1]
    return (_with_fields(row, question_of(row, name, before)) if before else None), messages[-1].content


def asked_and_answered(row: Row) -> tuple[Question, str]:
    """Return the question and the answer of a record; an `input` is appended to the instruction.

    Raises:
        DataError: one of them is missing or has a wrong type; the message has the record's position.
    """
    fields = ANSWERS if {*ANSWERS} & row.data.keys() or not {*CONVERSATIONS} & row.data.keys() else CONVERSATIONS
    asked, answer = answer_in(row, *fields)
    if asked is None or {*QUESTIONS} & row.data.keys():
        asked = question_in(row, *QUESTIONS)
    return with_input(row, asked), answer


def with_input(row: Row, question: Question) -> Question:
    """Return the question with the record's `input` (Alpaca), or a `context` that is text (Dolly), after it.

    Raises:
        DataError: it is not text; the message has the record's position.
    """
    names = ["input", *(["context"] if isinstance(row.data.get("context"), str) else [])]
    texts = [row.text(name) for name in names if row.data.get(name)]
    return Question("\n\n".join([question.instruction, *texts]), question.context)


def asked_in(row: Row) -> tuple[Question, str | None]:
    """Return the question of a record and, if its conversation ends with the assistant's turn, that as the answer.

    A record with messages is its conversation, whatever its other texts: AlpacaEval's files, as srlm writes them, have
    both.

    Raises:
        DataError: there is no question, or a wrong one; the message has the record's position.
    """
    name = next((one for one in CONVERSATIONS if one in row.data), None)
    return (question_in(row, *QUESTIONS), None) if name is None else asked_in_messages(row, name)


def asked_in_messages(row: Row, name: str) -> tuple[Question, str | None]:
    """Return the question of a field with messages and, if they end with the assistant's turn, that as the answer.

    Raises:
        DataError: there is no question, or a wrong one; the message has the record's position.
    """
    messages = messages_in(row, name)
    answered = len(messages) > 1 and messages[-1].role == "assistant"
    question = _with_fields(row, question_of(row, name, messages[:-1] if answered else messages))
    return question, messages[-1].content if answered else None


def messages_in(row: Row, name: str) -> tuple[Message, ...]:
    """Return the messages of a field.

    Raises:
        DataError: it is no list of messages, or an empty one; the message has the record's position.
    """
    value = row.data.get(name)
    if not isinstance(value, list):
        raise row.error(f"the field {name} must be a list of messages, not {kind_of(value)}.")
    if not value:
        raise row.error(f"the field {name} is an empty list; text or messages are expected.")
    return tuple(_message(row, name, one) for one in value)


def question_of(row: Row, name: str, messages: Sequence[Message]) -> Question:
    """Return the messages before an answer as a question. A system message without text counts as none.

    Raises:
        DataError: they do not end with the user's, the roles are not in order (a system message at the most, then the
            user and the assistant in turn), or a message has no text; the message has the record's position.
    """
    has_system = bool(messages) and messages[0].role == "system"
    for place, message in enumerate(messages[has_system:], start=1 + has_system):
        if message.role != ("user", "assistant")[(place - 1 - has_system) % 2]:
            before = f"comes after the {messages[place - 2].role}'s" if place > 1 else "is the first"
            raise row.error(
                f"the roles in {name} are out of order: message {place}, the {message.role}'s, {before}. A system "
                "message may come first, then user and assistant alternate. Correct the record, or leave it out."
            )
        if not message.content.strip():
            raise row.error(f"message {place} of {name}, the {message.role}'s, has no text. Leave out the record.")
    if not messages or messages[-1].role != "user":
        raise row.error(f"{name} has no message of the user that could be answered. Leave out the record.")
    return Question(messages[-1].content, tuple(one for one in messages[:-1] if one.content.strip()))


def _with_fields(row: Row, question: Question) -> Question:
    """Return the question with the context, the system message and the history of the record before it."""
    context = question.context
    if not context and isinstance(row.data.get("context"), list) and row.data["context"]:
        # As a question, so that their roles are checked; the instruction is not theirs, and may be empty.
        context = question_of(row, "context", (*messages_in(row, "context"), Message("user", "?"))).context
    if row.data.get("history") and not context:
        context = tuple(_history(row))
    return _with_system(row, Question(question.instruction, context))


def _with_system(row: Row, question: Question) -> Question:
    """Return a question with the system message of a field of its own.

    Raises:
        DataError: the messages have one too, or it is not text; the message has the record's position.
    """
    name = next((one for one in SYSTEM if one in row.data), None)
    text = row.text(name) if name else ""
    if not text.strip():
        return question
    if question.context and question.context[0].role == "system":
        raise row.error(f"has a system message in its messages and in the field {name}. Remove one of them.")
    return Question(question.instruction, (Message("system", text), *question.context))


def _history(row: Row) -> list[Message]:
    given = row.data["history"]
    pairs = given if isinstance(given, list) else [given]
    if not all(isinstance(one, list) and len(one) == 2 and all(isinstance(text, str) for text in one) for one in pairs):
        raise row.error("the field history must be a list of pairs of texts, the user's and the assistant's.")
    return [message for asked, answer in pairs for message in (Message("user", asked), Message("assistant", answer))]


def _present(row: Row, names: Sequence[str]) -> str:
    return next((name for name in names if name in row.data), names[0])


def _message(row: Row, name: str, message: Any) -> Message:
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
    return Message(known, content)
