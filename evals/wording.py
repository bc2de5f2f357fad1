"""What a comparison says in words: what is certain, what is not, and how small a difference would have shown."""

from collections.abc import Sequence
from math import isnan

from scipy.special import stdtrit

from evals.metric import Metric
from srlm.stats.intervals import Estimate
from srlm.stats.paired import Paired
from srlm.stats.power import smallest_difference

ALPHA = 0.05


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
            f"{100 * one:+.1f}" if metric.unit == "%" else f"{one:+.2f}"
            for one in (difference.value, difference.low, difference.high)
        )
        amount = f"{value} points [{low}, {high}], p = {paired.p_value:.2g}"
        if certain(paired):
            verdict = "better" if difference.value > 0 else "worse"
            lines.append(f"{model} is {verdict} than {baseline} in {label}: {amount}.")
        else:
            lines.append(
                f"{model} and {baseline} cannot be told apart in {label}: {amount}.{_smallest(difference, metric.unit)}"
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
            f"Attention: {flagged}{share} answers of {model} hold something that speaks to the judge "
            f"(injection_suspected in its verdicts). Read them before you trust its {figure}."
        )
    if constant:
        lines.append(f"Attention: {model} gave one and the same answer to {constant}{share} prompts.")
    return lines


def certain(paired: Paired) -> bool:
    """Whether a difference may be called one: by the adjusted test, and by an interval that leaves out zero."""
    return paired.p_value < ALPHA and paired.difference.low * paired.difference.high > 0


def _smallest(difference: Estimate, unit: str) -> str:
    """The smallest true difference that so many prompts would show in four of five experiments."""
    if isnan(difference.low) or difference.clusters < 2:
        return ""
    standard_error = (difference.high - difference.low) / (2 * float(stdtrit(difference.clusters - 1, 1 - ALPHA / 2)))
    smallest = smallest_difference(difference.clusters, difference.clusters * standard_error**2)
    points = (100 if unit == "%" else 1) * smallest
    size = f"{points:.0f}" if points >= 10 else f"{points:.1f}"
    return f" With {difference.clusters} prompts, only a difference of about {size} points would show."
