"""Estimates as text, with their intervals; and five-number summaries."""

from math import isnan

from srlm.stats.five_numbers import FiveNumbers
from srlm.stats.intervals import Estimate


def percent(rate: Estimate) -> str:
    """Format a rate in a sentence: "55 % [48, 62]"; "an unknown share" without data."""
    if isnan(rate.value):
        return "an unknown share"
    if isnan(rate.low):
        return f"{100 * rate.value:.0f} %"
    return f"{100 * rate.value:.0f} % [{100 * rate.low:.0f}, {100 * rate.high:.0f}]"


def percent_cell(rate: Estimate | None) -> str:
    """Format a rate in a column that is in percent: "55 [48, 62]"; "unknown" without data."""
    if rate is None or isnan(rate.value):
        return "unknown"
    return percent(rate).replace(" %", "")


def five_numbers_cell(numbers: FiveNumbers) -> str:
    """Format a five-number summary with three digits each: "-1.2 0 0.5 0.75 3.14"."""
    return " ".join(f"{value:.3g}" for value in numbers)


def number_cell(estimate: Estimate) -> str:
    """Format a value in its own unit: "3.21 [2.90, 3.52]", without digits from 100 on; "unknown" without data."""
    if isnan(estimate.value):
        return "unknown"
    places = 0 if abs(estimate.value) >= 100 else 2
    if isnan(estimate.low):
        return f"{estimate.value:,.{places}f}"
    return f"{estimate.value:,.{places}f} [{estimate.low:,.{places}f}, {estimate.high:,.{places}f}]"
