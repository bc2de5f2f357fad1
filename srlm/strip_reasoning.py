"""Strip reasoning that the text of a reply still contains, and describe how a reply ended.

Engines separate reasoning from answers before a reply reaches the ledger. Replies of older ledgers and of files have it
in their text: every reader of replies passes them through `strip_reasoning` first.
"""

from dataclasses import replace
from math import isfinite

from srlm.engines.reasoning import split_reasoning
from srlm.types import Answer, Completion, Failed, Finish, Reply


def strip_reasoning(reply: Completion) -> Completion:
    """Return the reply with the answer alone as its text; reasoning in the text moves to `thoughts`."""
    found = split_reasoning(reply.text)
    if not found.thoughts:
        return reply
    whole = reply.written if reply.written is not None else reply.thoughts + reply.text
    thoughts = reply.thoughts + found.thoughts
    written = None if thoughts + found.answer == whole else whole
    return replace(reply, text=found.answer, thoughts=thoughts, written=written)


def answer_of(
    identifier: str,
    prompt_id: str,
    model: str,
    key: str,
    reply: Completion,
    *,
    sample: int = 0,
    as_written: bool = False,
) -> Answer:
    """Convert a reply to an answer; its white space is stripped unless `as_written`."""
    text = reply.text if as_written else reply.text.strip()
    return Answer(
        identifier,
        prompt_id,
        model,
        text,
        reply.finish,
        sample,
        key[:16],
        thoughts=reply.thoughts,
        written=reply.written,
    )


def thoughts_of(reply: Reply) -> str:
    """Return the reasoning of a reply; "" for a failed call."""
    return "" if isinstance(reply, Failed) else strip_reasoning(reply).thoughts


def mass_of(reply: Reply) -> float | None:
    """Return the total probability of all choices; None if it is unknown or no finite number."""
    if isinstance(reply, Failed) or reply.mass is None or not isfinite(reply.mass):
        return None
    return reply.mass


def cut_note(finish: Finish) -> str:
    """Describe the end of a truncated answer; "" for a complete one."""
    return {"stop": "", "length": ", cut at the token limit", "cut": ", cut by the server"}[finish]


def length_note(answer: Answer) -> str:
    """Describe the length and the end of an answer: "12 characters, cut at the token limit"."""
    empty = ", empty: its tokens went into thoughts" if answer.thoughts and not answer.text.strip() else ""
    return f"{len(answer.text):,} characters{cut_note(answer.finish)}{empty}"
