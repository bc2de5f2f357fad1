"""A reply without the thoughts that its text may still hold, and how a reader is told what became of one.

Engines part thoughts from answers before a reply reaches the ledger. Replies of older ledgers, and of files, still
have them in their text: whoever reads a reply takes it through `parted` first.
"""

from dataclasses import replace
from math import isfinite

from srlm.engines.thoughts import part_thoughts
from srlm.types import Answer, Completion, Failed, Reply


def parted(reply: Completion) -> Completion:
    """A reply whose text is the answer alone; what else it held is among its thoughts."""
    found = part_thoughts(reply.text)
    if not found.thoughts:
        return reply
    whole = reply.written if reply.written is not None else reply.thoughts + reply.text
    thoughts = reply.thoughts + found.thoughts
    written = None if thoughts + found.answer == whole else whole
    return replace(reply, text=found.answer, thoughts=thoughts, written=written)


def thoughts_of(reply: Reply) -> str:
    """What a model thought before it answered; nothing where no answer came."""
    return "" if isinstance(reply, Failed) else parted(reply).thoughts


def mass_of(reply: Reply) -> float | None:
    """The probability of all choices together; None where nobody knows it, or it is no number."""
    if isinstance(reply, Failed) or reply.mass is None or not isfinite(reply.mass):
        return None
    return reply.mass


def length_note(answer: Answer) -> str:
    """How long an answer is and how it ended, in words: "12 characters, cut at the token limit"."""
    cut = {"stop": "", "length": ", cut at the token limit", "cut": ", cut by the server"}[answer.finish]
    empty = ", empty: its tokens went into thoughts" if answer.thoughts and not answer.text.strip() else ""
    return f"{len(answer.text):,} characters{cut}{empty}"
