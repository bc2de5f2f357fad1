"""Sentences on the differences of a comparison: which are significant, and which would have been detected."""

from collections.abc import Sequence
from math import isnan

from evals.compare.cells import format_p
from evals.metric import ALPHA, Metric, Unit, is_significant
from evals.results import Endings
from srlm.stats.paired import Paired
from srlm.stats.power import prompts_needed, smallest_difference
from srlm.stats.student_t import student_quantile

FEW = 0.02
"""The share of prompts with one and the same answer that is not worth a word: two prompts may ask the same."""
MOST_PROMPTS = 100_000
"""Above this a number of prompts is no plan."""


def difference_sentences(metric: Metric, models: Sequence[str], baseline: str) -> list[str]:
    """Say for each model whether its difference to the baseline in a tested metric is significant."""
    lines: list[str] = []
    for model in models:
        paired = metric.cells[model].paired
        undefined = paired is None or isnan(paired.p_value) or isnan(paired.difference.low)
        if paired is None or undefined or metric.better == "neither":
            continue
        difference = paired.difference
        value, low, high = (
            f"{round(100 * one, 1) + 0.0:+.1f}" if metric.unit == "%" else f"{round(one, 2) + 0.0:+.2f}"
            for one in (difference.value, difference.low, difference.high)
        )
        amount = f"{value} points [{low}, {high}], p {format_p(paired.p_value, ' ')}"
        if is_significant(paired):
            verdict = "better" if (difference.value > 0) == (metric.better == "more") else "worse"
            lines.append(f"{model} is significantly {verdict} than {baseline} in {metric.label}: {amount}.")
        else:
            lines.append(
                f"No significant difference between {model} and {baseline} in {metric.label}: {amount}."
                f"{_power(paired, metric.unit)}"
            )
    return lines


def hostile(model: str, figure: str, flagged: int, constant: int = 0, of: int | None = None) -> list[str]:
    """What of a model's answers may not have been meant for the reader; nothing where there is none.

    Args:
        model: whose answers they are.
        figure: what they may have spoiled.
        flagged: answers that hold something that speaks to the judge.
        constant: prompts that got one and the same answer.
        of: how many answers there are, where it is to be said.
    """
    share, lines = "" if of is None else f" of {of}", []
    if flagged:
        lines.append(
            f"Attention: {flagged}{share} answers of {model} hold something that speaks to the judge, or only begin "
            f"to answer (injection_suspected in its verdicts). Read them before you trust its {figure}."
        )
    if constant and (of is None or constant > FEW * of):
        lines.append(f"Attention: {model} gave one and the same answer to {constant}{share} prompts.")
    return lines


def unsaid(model: str, found: Endings) -> list[str]:
    """What of a model's answers is no answer: empty ones, and those that the server cut."""
    lines: list[str] = []
    if found.empty:
        whose = "their tokens" if found.spent == found.empty else f"the tokens of {found.spent}"
        why = f": {whose} went into thoughts; raise --max-tokens" if found.spent else ""
        lines.append(f"Attention: {found.empty} of {found.answers} answers of {model} are empty{why}.")
    if found.cut:
        by = "were cut by its server, such as by a content filter"
        lines.append(f"Attention: {found.cut} of {found.answers} answers of {model} {by}.")
    return lines


def mostly(answers: int, flagged: int, constant: int = 0) -> str:
    """Why a model's judged figures cannot be trusted: more than half of its answers are hostile, or one and the same.

    Empty where they can.
    """
    if 2 * constant > answers:
        return f"it gave one and the same answer to {constant} of {answers} prompts"
    if 2 * flagged > answers:
        return f"{flagged} of its {answers} answers hold something that speaks to the judge, or only begin to answer"
    return ""


def distrust(suite: str, model: str, why: str) -> str:
    """What is said of such a model in place of everything else."""
    return f"Do not trust the {suite} figures of {model}: {why}."


def _power(paired: Paired, unit: Unit) -> str:
    """Say which difference these prompts detect, and how many more the observed one needs; both at a power of 80 %.

    The observed difference need not be the true one.
    """
    difference = paired.difference
    if isnan(difference.low) or difference.clusters < 2:
        return ""
    prompts, standard_error = difference.clusters, paired.standard_error
    if standard_error is None:
        standard_error = (difference.high - difference.low) / (2 * student_quantile(1 - ALPHA / 2, prompts - 1))
    variance = prompts * standard_error**2
    points = (100 if unit == "%" else 1) * smallest_difference(prompts, variance)
    size = f"{points:.0f}" if points >= 10 else f"{points:.1f}"
    line = f" With {prompts} prompts, the smallest detectable difference is about {size} points (80 % power)"
    if difference.value == 0 or standard_error == 0:
        return f"{line}."
    needed: int = prompts_needed(difference.value, variance)
    if needed > MOST_PROMPTS:
        return f"{line}; detecting one of the observed size would take more than {MOST_PROMPTS:,} prompts."
    if needed <= prompts:
        return f"{line}."
    more = _rounded_up(needed - prompts)
    return f"{line}; detecting one of the observed size would take about {more:,} more prompts."


def _rounded_up(count: int) -> int:
    """Round up to two digits: a number of prompts is not known more exactly."""
    size: int = 10 ** max(0, len(str(count)) - 2)
    return -(-count // size) * size
