"""Questions and answers that stand in a record as messages: TRL's conversational form, ShareGPT's, OpenAI's.

A question is one turn of the user, with the words of the system before it, and an answer the turn of the assistant that
comes after. Conversations of more turns are refused: a judge is shown one instruction and one response.
"""

from collections.abc import Sequence
from typing import Any

from srlm.json_files import Row, kind_of

QUESTIONS = ("instruction", "prompt")
ANSWERS = ("output", "response", "completion")
CONVERSATIONS = ("messages", "conversations", "conversation")

SYSTEM, USER, ASSISTANT = "system", "user", "assistant"
_ROLES = {
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

Turn = tuple[str, str]
"""A role, and what was said."""


def question_in(row: Row, *names: str) -> str:
    """The question of a field that holds it as text or as messages.

    Raises:
        DataError: none of the fields is there, or it holds something else; the record is named.
    """
    name = _present(row, names)
    value = row.data.get(name)
    return _question(row, name, _turns(row, name, value)) if isinstance(value, list) else row.text(*names)


def answer_in(row: Row, *names: str) -> tuple[str | None, str]:
    """The answer of a field that holds it as text or as messages; before it the question, where it is there too.

    Raises:
        DataError: none of the fields is there, or it holds something else; the record is named.
    """
    name = _present(row, names)
    value = row.data.get(name)
    if not isinstance(value, list):
        return None, row.text(*names)
    turns = _turns(row, name, value)
    if turns[-1][0] != ASSISTANT:
        raise row.wrong(f"the last message of {name} must be the assistant's; it is the {turns[-1][0]}'s.")
    before = turns[:-1]
    return (_question(row, name, before) if before else None), turns[-1][1]


def asked_and_answered(row: Row) -> tuple[str, str]:
    """The question and the answer of a record that holds one of each; an `input` beside the instruction is part of it.

    Raises:
        DataError: one of them is missing, or is something else; the record is named.
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
        raise row.wrong(f"the field {name} is an empty list; text or messages are expected.")
    return [_turn(row, name, one) for one in value]


def _turn(row: Row, name: str, message: Any) -> Turn:
    if not isinstance(message, dict) or not {"role", "from"} & message.keys():
        raise row.unlike(f"the field {name} must be text or messages (role, content), not a list of something else.")
    role, content = message.get("role", message.get("from")), message.get("content", message.get("value"))
    known = _ROLES.get(role) if isinstance(role, str) else None
    if known is None:
        raise row.wrong(f"the role {str(role)[:40]!r} in {name} is none of system, user and assistant.")
    if isinstance(content, list) and all(isinstance(one, dict) and isinstance(one.get("text"), str) for one in content):
        content = "".join(one["text"] for one in content)
    if not isinstance(content, str):
        raise row.wrong(f"the content of a message in {name} must be text, not {kind_of(content)}.")
    return known, content


def _question(row: Row, name: str, turns: Sequence[Turn]) -> str:
    roles = [role for role, _ in turns]
    if roles not in ([USER], [SYSTEM, USER]):
        raise row.wrong(
            f"{name} has {len(turns)} messages before the answer ({', '.join(roles[:5])}); a question of one turn is "
            "expected, with a system message at the most. Leave out conversations of several turns."
        )
    return "\n\n".join(text for _, text in turns if text)
