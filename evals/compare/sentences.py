"""Sentences on the differences of a comparison: which are significant, and which would have been detected."""

from collections.abc import Sequence
from math import isnan

from evals.compare.cells import format_p
from evals.metric import ALPHA, Metric, Unit, is_significant
from srlm.stats.paired import Paired
from srlm.stats.power import prompts_needed, smallest_difference
from srlm.stats.student_t import student_quantile

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
