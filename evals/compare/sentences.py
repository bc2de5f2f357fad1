"""What a comparison says in words: what is certain, what is not, and how small a difference would have shown."""

from collections.abc import Sequence
from math import isnan

from evals.metric import Metric
from srlm.stats.paired import Paired
from srlm.stats.power import prompts_needed, smallest_difference
from srlm.stats.student_t import student_quantile

ALPHA = 0.05
TINY = 1e-15
MOST_PROMPTS = 100_000
"""Above this a number of prompts is no plan."""


def words(metric: Metric, models: Sequence[str], baseline: str) -> list[str]:
    """What may be said of a metric that was tested, model by model."""
    lines: list[str] = []
    for model in models:
        paired = metric.cells[model].paired
        undefined = paired is None or isnan(paired.p_value) or isnan(paired.difference.low)
        if paired is None or undefined or metric.better == "neither":
            continue
        label = metric.label.strip()
        difference = paired.difference
        value, low, high = (
            f"{round(100 * one, 1) + 0.0:+.1f}" if metric.unit == "%" else f"{round(one, 2) + 0.0:+.2f}"
            for one in (difference.value, difference.low, difference.high)
        )
        amount = f"{value} points [{low}, {high}], p {p_value(paired.p_value, ' ')}"
        if certain(paired):
            verdict = "better" if (difference.value > 0) == (metric.better == "more") else "worse"
            lines.append(f"{model} is {verdict} than {baseline} in {label}: {amount}.")
        else:
            lines.append(
                f"{model} and {baseline} cannot be told apart in {label}: {amount}.{_power(paired, metric.unit)}"
            )
    return lines


def p_value(p: float, space: str) -> str:
    """With its sign, and what stands between them: "= 0.031"; no test can tell smaller ones than 1e-15 apart."""
    if isnan(p):
        return f"={space}-"
    return f"<{space}1e-15" if p < TINY else f"={space}{p:.2g}"


def certain(paired: Paired, p_value: float | None = None) -> bool:
    """Whether a difference may be called one: by the adjusted test, and by an interval that leaves out zero.

    `p_value` is the adjusted one, where that of the pair is not.
    """
    p = paired.p_value if p_value is None else p_value
    return p < ALPHA and paired.difference.low * paired.difference.high > 0


def _power(paired: Paired, unit: str) -> str:
    """What more prompts would show: the smallest difference that these do, and how many the one that is seen needs.

    Both in four of five experiments. Whether the true difference is as large as the one seen, nobody knows.
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
    line = f" With {prompts} prompts, only a difference of about {size} points would show"
    if difference.value == 0 or standard_error == 0:
        return f"{line}."
    needed: int = prompts_needed(difference.value, variance)
    if needed > MOST_PROMPTS:
        return f"{line}; to show one of this size would take more than {MOST_PROMPTS:,}."
    if needed <= prompts:
        return f"{line}."
    return f"{line}; to show one of this size would take about {_rounded(needed - prompts):,} more."


def _rounded(count: int) -> int:
    """To two digits: a number of prompts is not known better."""
    size: int = 10 ** max(0, len(str(count)) - 2)
    return -(-count // size) * size
