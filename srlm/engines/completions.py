"""Parsing shared by both protocols: finish reasons, answer text, reasoning, token counts."""

from dataclasses import dataclass, replace
from typing import Any

from srlm.engines.chat_template import truncate_at_stop
from srlm.engines.http_body import NoAnswer, UnexpectedShape
from srlm.engines.reasoning import split_reasoning
from srlm.types import Finish

STOPS = frozenset({"stop", "eos", "eos_token", "end_turn", "stop_sequence", "complete"})
LENGTHS = frozenset({"length", "max_tokens", "model_length", "model_context_window_exceeded"})

MAX_TOKENS = 1 << 40
"""Limit of a token count of one call: the sum over millions of calls still fits into the ledger's integers."""


def parse_finish(reason: Any) -> Finish:
    """Convert a server's finish reason. An unknown one counts as "cut"."""
    word = reason.lower() if isinstance(reason, str) else ""
    return "stop" if word in STOPS else "length" if word in LENGTHS else "cut"


@dataclass(frozen=True)
class ReplyText:
    """A model's answer and its reasoning, as `srlm.types.Completion` stores them.

    `reasoning`: the server itself separated the reasoning. `closed`: the last block of reasoning was closed.
    """

    text: str
    thoughts: str
    written: str | None
    reasoning: bool
    closed: bool

    def truncated_at(self, stops: tuple[str, ...]) -> "ReplyText":
        """Truncate the answer at a stop string, for servers that accept none."""
        text = truncate_at_stop(self.text, stops)
        return self if text == self.text else replace(self, text=text, written=None)


def split_reply(content: str, reasoning: str = "") -> ReplyText:
    """Split a message's content into answer and reasoning; `reasoning` is what the server has separated already."""
    if reasoning:  # servers leave the white space after the reasoning in front of the answer
        answer = content.lstrip()
        reasoning, content = reasoning + content[: len(content) - len(answer)], answer
    parts = split_reasoning(content)
    thoughts = reasoning + parts.thoughts
    whole = reasoning + content
    written = None if thoughts + parts.answer == whole else whole
    return ReplyText(parts.answer, thoughts, written, bool(reasoning), bool(reasoning) or parts.closed)


def content_text(content: Any) -> tuple[str, str]:
    """Return the text and the reasoning of a message's content: a string, null, or a list of parts.

    Raises:
        UnexpectedShape: it is none of these.
    """
    if content is None:
        return "", ""
    if isinstance(content, str):
        return encodable(content), ""
    if not isinstance(content, list):
        raise UnexpectedShape("the content is neither text nor a list of parts")
    texts, thoughts = [], []
    for part in content:
        if isinstance(part, str):
            texts.append(part)
        elif isinstance(part, dict):
            kind = str(part.get("type"))
            if kind in {"text", "output_text"}:
                texts.append(_string(part.get("text")))
            elif kind in {"thinking", "reasoning"}:
                thoughts.append(reasoning_text(part.get("thinking") or part.get("text") or part.get("reasoning")))
    return encodable("".join(texts)), encodable("".join(thoughts))


def reasoning_text(value: Any) -> str:
    """Return the text of a server's reasoning field: a string, or a list of parts with text."""
    if isinstance(value, str):
        return encodable(value)
    if not isinstance(value, list):
        return ""
    found = []
    for part in value:
        values = [part.get(name) for name in ("text", "summary", "thinking")] if isinstance(part, dict) else [part]
        found.append(next((one for one in values if isinstance(one, str)), ""))
    return encodable("".join(found))


def token_count(usage: Any, name: str) -> int:
    """Return a token count of a reply; 0 if the server gives none.

    Raises:
        UnexpectedShape: it is no possible count.
    """
    value = usage.get(name) if isinstance(usage, dict) else None
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdecimal():
        value = int(value) if len(value) < 20 else MAX_TOKENS
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        return 0
    if not 0 <= value < MAX_TOKENS:
        raise UnexpectedShape(f"usage.{name} is no number of tokens")
    return value


def encodable(text: str) -> str:
    """Replace lone surrogates, which no file can hold, by "?"."""
    return text.encode("utf-8", "replace").decode()


def require_answer(reply: ReplyText, reason: Any, finish: Finish) -> None:
    """Refuse a reply without an answer, or one that ended with an error. Reasoning up to the token limit is accepted.

    Raises:
        NoAnswer: there is none.
    """
    if isinstance(reason, str) and reason.lower() == "error":
        raise NoAnswer("it ended with an error on the server", retryable=True)
    if reply.text or reply.thoughts:
        return
    detail = f"it is empty, with finish reason {reason if isinstance(reason, str) else 'nothing'}"
    raise NoAnswer(detail, retryable=finish == "stop" or not isinstance(reason, str))


def _string(value: Any) -> str:
    return value if isinstance(value, str) else ""
