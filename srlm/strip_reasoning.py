"""A reply without the thoughts that its text may still hold, and how a reader is told what became of one.

Engines part thoughts from answers before a reply reaches the ledger. Replies of older ledgers, and of files, still
have them in their text: whoever reads a reply takes it through `parted` first.
"""

from dataclasses import replace
from math import isfinite

from srlm.engines.reasoning import part_thoughts
from srlm.types import Answer, Completion, Failed, Finish, Reply


def parted(reply: Completion) -> Completion:
    """A reply whose text is the answer alone; what else it held is among its thoughts."""
    found = part_thoughts(reply.text)
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
    """A reply as the answer to a prompt, without white space around it unless it is wanted `as_written`."""
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
    """What a model thought before it answered; nothing where no answer came."""
    return "" if isinstance(reply, Failed) else parted(reply).thoughts


def mass_of(reply: Reply) -> float | None:
    """The probability of all choices together; None where nobody knows it, or it is no number."""
    if isinstance(reply, Failed) or reply.mass is None or not isfinite(reply.mass):
        return None
    return reply.mass


def cut_note(finish: Finish) -> str:
    """What a reader is told of an answer that did not come to its end by itself; nothing of others."""
    return {"stop": "", "length": ", cut at the token limit", "cut": ", cut by the server"}[finish]


def length_note(answer: Answer) -> str:
    """How long an answer is and how it ended, in words: "12 characters, cut at the token limit"."""
    empty = ", empty: its tokens went into thoughts" if answer.thoughts and not answer.text.strip() else ""
    return f"{len(answer.text):,} characters{cut_note(answer.finish)}{empty}"
