"""Warnings on a model's answers: prompt injections, one constant answer, empty answers, answers that a server cut."""

from evals.results import Endings

CONSTANT_SHARE = 0.02
"""The share of prompts with one and the same answer below which there is no warning: two prompts may ask the same."""


def injection_warnings(
    model: str, metric: str, flagged: int, constant: int = 0, answers: int | None = None
) -> list[str]:
    """Return warnings of prompt injections and of a constant answer; none where a model has neither.

    Args:
        model: its name.
        metric: the metric that they may have distorted.
        flagged: answers that hold a prompt injection.
        constant: prompts that got one and the same answer.
        answers: the number of answers, where it is to be printed.
    """
    share, lines = "" if answers is None else f" of {answers}", []
    if flagged:
        lines.append(
            f"Attention: {flagged}{share} answers of {model} hold something that speaks to the judge, or only begin "
            f"to answer (injection_suspected in its verdicts). Read them before you trust its {metric}."
        )
    if constant and (answers is None or constant > CONSTANT_SHARE * answers):
        lines.append(f"Attention: {model} gave one and the same answer to {constant}{share} prompts.")
    return lines


def ending_warnings(model: str, found: Endings) -> list[str]:
    """Return warnings of empty answers and of those that the server cut."""
    lines: list[str] = []
    if found.empty:
        whose = "their tokens" if found.spent == found.empty else f"the tokens of {found.spent}"
        why = f": {whose} went into thoughts; raise --max-tokens" if found.spent else ""
        lines.append(f"Attention: {found.empty} of {found.answers} answers of {model} are empty{why}.")
    if found.cut:
        by = "were cut by its server, such as by a content filter"
        lines.append(f"Attention: {found.cut} of {found.answers} answers of {model} {by}.")
    return lines


def untrusted_reason(answers: int, flagged: int, constant: int = 0) -> str:
    """Return the reason not to trust a model's judged metrics; empty where there is none.

    There is one if more than half of its answers hold a prompt injection, or are one and the same.
    """
    if 2 * constant > answers:
        return f"it gave one and the same answer to {constant} of {answers} prompts"
    if 2 * flagged > answers:
        return f"{flagged} of its {answers} answers hold something that speaks to the judge, or only begin to answer"
    return ""


def untrusted_sentence(suite: str, model: str, reason: str) -> str:
    """Return the sentence on such a model that stands in place of every other."""
    return f"Do not trust the {suite} figures of {model}: {reason}."
