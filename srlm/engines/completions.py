"""What both protocols' replies have in common: how a text ended, its thoughts, its tokens."""

from dataclasses import dataclass, replace
from typing import Any

from srlm.engines.chat_template import cut
from srlm.engines.http_body import NoAnswer, WrongShape
from srlm.engines.reasoning import part_thoughts
from srlm.types import Finish

STOPS = frozenset({"stop", "eos", "eos_token", "end_turn", "stop_sequence", "complete"})
LENGTHS = frozenset({"length", "max_tokens", "model_length", "model_context_window_exceeded"})

MOST_TOKENS = 1 << 40
"""Of one call. More is no count; and the sum over millions of calls still fits into the ledger's whole numbers."""


def finish_of(reason: Any) -> Finish:
    """How a text ended, by the server's word for it. A word that is not known to mean an end means a cut."""
    word = reason.lower() if isinstance(reason, str) else ""
    return "stop" if word in STOPS else "length" if word in LENGTHS else "cut"


@dataclass(frozen=True)
class Written:
    """What a model wrote: its thoughts apart from its answer, as `srlm.types.Completion` keeps them.

    `reasoning` says that the server has parted thoughts itself, `closed` that the last thought came to its end.
    """

    text: str
    thoughts: str
    written: str | None
    reasoning: bool
    closed: bool

    def cut_at(self, stops: tuple[str, ...]) -> "Written":
        """Up to where a stop string begins, for servers that take none."""
        text = cut(self.text, stops)
        return self if text == self.text else replace(self, text=text, written=None)


def written_of(content: str, reasoning: str = "") -> Written:
    """Part what stands in the answer's place; `reasoning` are thoughts that the server has parted already."""
    if reasoning:  # servers leave the blanks behind a thought before the answer
        answer = content.lstrip()
        reasoning, content = reasoning + content[: len(content) - len(answer)], answer
    parted = part_thoughts(content)
    thoughts = reasoning + parted.thoughts
    whole = reasoning + content
    written = None if thoughts + parted.answer == whole else whole
    return Written(parted.answer, thoughts, written, bool(reasoning), bool(reasoning) or parted.closed)


def text_of(content: Any) -> tuple[str, str]:
    """The text and the thoughts of an answer's content: a string, nothing, or a list of parts.

    Raises:
        WrongShape: it is none of these.
    """
    if content is None:
        return "", ""
    if isinstance(content, str):
        return as_text(content), ""
    if not isinstance(content, list):
        raise WrongShape("the content is neither text nor a list of parts")
    texts, thoughts = [], []
    for part in content:
        if isinstance(part, str):
            texts.append(part)
        elif isinstance(part, dict):
            kind = str(part.get("type"))
            if kind in {"text", "output_text"}:
                texts.append(_string(part.get("text")))
            elif kind in {"thinking", "reasoning"}:
                thoughts.append(thought_of(part.get("thinking") or part.get("text") or part.get("reasoning")))
    return as_text("".join(texts)), as_text("".join(thoughts))


def thought_of(thoughts: Any) -> str:
    """Thoughts as servers send them: a string, or a list of parts that have one."""
    if isinstance(thoughts, str):
        return as_text(thoughts)
    if not isinstance(thoughts, list):
        return ""
    found = []
    for part in thoughts:
        values = [part.get(name) for name in ("text", "summary", "thinking")] if isinstance(part, dict) else [part]
        found.append(next((value for value in values if isinstance(value, str)), ""))
    return as_text("".join(found))


def tokens_of(usage: Any, name: str) -> int:
    """A count of tokens; 0 where the server does not give one, which no call really has.

    Raises:
        WrongShape: it is no possible count.
    """
    value = usage.get(name) if isinstance(usage, dict) else None
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdecimal():
        value = int(value) if len(value) < 20 else MOST_TOKENS
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        return 0
    if not 0 <= value < MOST_TOKENS:
        raise WrongShape(f"usage.{name} is no number of tokens")
    return value


def as_text(text: str) -> str:
    """What a server sent, as text that can be written to any file: half of a surrogate pair becomes "?"."""
    return text.encode("utf-8", "replace").decode()


def require_answer(written: Written, reason: Any, finish: Finish) -> None:
    """Refuse a reply that holds no answer, or one that broke off. Thoughts up to the limit are an answer without words.

    Raises:
        NoAnswer: there is none.
    """
    if isinstance(reason, str) and reason.lower() == "error":
        raise NoAnswer("it ended with an error on the server", again=True)
    if written.text or written.thoughts:
        return
    said = f"it is empty, and its end is called {reason if isinstance(reason, str) else 'nothing'}"
    raise NoAnswer(said, again=finish == "stop" or not isinstance(reason, str))


def _string(value: Any) -> str:
    return value if isinstance(value, str) else ""
