"""Trial run of a chat template on what comes before instructions: system messages and earlier turns.

Templates differ in what they allow: Gemma's refuses system messages, others leave them out in silence, and some keep
only the last turn. A run finds that out before it starts, and not at its first prompt with a context.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from srlm.engines.template_parts import ANSWER, QUESTION, render
from srlm.errors import EngineError, ModelError
from srlm.types import Message

_MARKER = "Turn6120n"
"""Beginning of words that no template writes by itself; each message of the trial is one of them, with its number."""

Roles = tuple[str, ...]


def require_contexts(tokenizer: Any, name: str, contexts: Iterable[Sequence[Message]], origin: str) -> None:
    """Check that a chat template writes what comes before instructions, with any number of turns that occurs.

    Args:
        tokenizer: from `srlm.engines.load.load_tokenizer`.
        name: the model's name in messages.
        contexts: of prompts or demonstrations (`srlm.types.Prompt`).
        origin: their place in messages, such as "the seeds data/".

    Raises:
        ModelError: it refuses a system message or earlier turns, or leaves them out.
    """
    every = list(contexts)
    found = Counter(tuple(message.role for message in context) for context in every if context)
    for roles in sorted(found, key=len):
        if roles[0] == "system" and (problem := _problem(tokenizer, name, ("system",), "system messages")):
            count = sum(number for one, number in found.items() if one[0] == "system")
            raise ModelError(
                f"The chat template of {name} {problem}, and {count} of {len(every)} records of {origin} have one. "
                "Move their text into the user's first turns, or use a model whose template has system messages."
            )
        if problem := _problem(tokenizer, name, roles, "earlier turns"):
            count = sum(number for one, number in found.items() if one != ("system",))
            raise ModelError(
                f"The chat template of {name} {problem}, and {count} of {len(every)} records of {origin} have some. "
                "Leave such records out, or use a model whose template writes whole conversations."
            )


def _problem(tokenizer: Any, name: str, roles: Roles, what: str) -> str | None:
    """Return what a template does wrong with messages of these roles before a question; None if it writes them all."""
    context = [Message(role, f"{_MARKER}{number}.") for number, role in enumerate(roles)]  # type: ignore[arg-type]
    asked = [*context, Message("user", QUESTION)]
    try:
        prompt = render(tokenizer, asked, name, add_generation_prompt=True)
        render(tokenizer, [*asked, Message("assistant", ANSWER)], name)
    except EngineError as error:
        reason = str(error).partition(" messages: ")[2] or str(error)
        return f"refuses {what} ({reason.rstrip('.')})"
    written = prompt.lower()
    return None if all(message.content.lower() in written for message in context) else f"leaves {what} out"
