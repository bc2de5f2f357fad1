"""Five-number summary of values without a scale: lowest, quartiles, highest."""

from collections.abc import Sequence
from statistics import quantiles

FiveNumbers = tuple[float, float, float, float, float]


def five_numbers(values: Sequence[float]) -> FiveNumbers | None:
    """Return the lowest value, the three quartiles (interpolated), and the highest; None without a value."""
    if not values:
        return None
    if len(values) == 1:
        return (values[0],) * 5
    first, median, third = quantiles(values, n=4, method="inclusive")
    return min(values), first, median, third, max(values)
