"""Warnings on a model's answers: prompt injections, one constant answer, empty answers, answers that a server cut."""

from evals.note import Note, warning
from evals.results import Endings

CONSTANT_SHARE = 0.02
"""The share of prompts with one and the same answer below which there is no warning: two prompts may ask the same."""


def injection_warnings(
    model: str, metric: str, flagged: int, constant: int = 0, answers: int | None = None
) -> list[Note]:
    """Return warnings of prompt injections and of a constant answer; none where a model has neither.

    Args:
        model: its name.
        metric: the metric that they may have distorted.
        flagged: answers that hold a prompt injection.
        constant: prompts that got one and the same answer.
        answers: the number of answers, where it is to be printed.
    """
    share, found = "" if answers is None else f" of {answers}", []
    if flagged:
        text = (
            f"{flagged}{share} answers of {model} hold a suspected prompt injection, or only begin to answer "
            f"(injection_suspected in its verdicts). Read them before you trust its {metric}."
        )
        found.append(warning(text, model))
    if constant and (answers is None or constant > CONSTANT_SHARE * answers):
        found.append(warning(f"{model} gave one and the same answer to {constant}{share} prompts.", model))
    return found


def ending_warnings(model: str, endings: Endings) -> list[Note]:
    """Return warnings of empty answers and of those that the server cut."""
    found: list[Note] = []
    if endings.empty:
        whose = "their tokens" if endings.spent == endings.empty else f"the tokens of {endings.spent}"
        why = f": {whose} went into reasoning; raise --max-tokens" if endings.spent else ""
        found.append(warning(f"{endings.empty} of {endings.answers} answers of {model} are empty{why}.", model))
    if endings.cut:
        by = "were cut by its server, such as by a content filter"
        found.append(warning(f"{endings.cut} of {endings.answers} answers of {model} {by}.", model))
    return found


def untrusted_reason(answers: int, flagged: int, constant: int = 0) -> str:
    """Return the reason not to trust a model's judged metrics; empty where there is none.

    There is one if more than half of its answers hold a prompt injection, or are one and the same.
    """
    if 2 * constant > answers:
        return f"it gave one and the same answer to {constant} of {answers} prompts"
    if 2 * flagged > answers:
        return f"{flagged} of its {answers} answers hold a suspected prompt injection, or only begin to answer"
    return ""


def untrusted_sentence(suite: str, model: str, reason: str) -> str:
    """Return the sentence on such a model that replaces all others."""
    return f"Do not trust the {suite} metrics of {model}: {reason}."
