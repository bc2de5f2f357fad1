"""Statistical power: the prompts that a difference needs, and the smallest difference that prompts can show.

Source: Miller, "Adding Error Bars to Evals" (arXiv 2411.00640, section 5). A difference delta between two models on the
same n prompts is found by a two-sided test at level alpha in a share `power` of experiments if

    n = (z(1 - alpha/2) + z(power))^2 * variance / delta^2

with the variance of the paired difference over prompts. Left out: Student's t instead of the normal distribution, which
matters below some 30 prompts, where n comes out a little too small.
"""

from math import ceil, sqrt


def prompts_needed(difference: float, variance: float, *, level: float = 0.95, power: float = 0.8) -> int:
    """Return the number of prompts at which a true `difference` is found in a share `power` of experiments.

    `variance` is that of the paired difference over prompts; a level of .95 is a two-sided test at 5 %.

    Raises:
        ValueError: the difference is 0, the variance is below 0, or a probability is not between 0 and 1.
    """
    if difference == 0 or variance < 0:
        raise ValueError("the difference must not be 0, nor the variance negative")
    return max(1, ceil(_quantiles(level, power) ** 2 * variance / difference**2))


def smallest_difference(prompts: int, variance: float, *, level: float = 0.95, power: float = 0.8) -> float:
    """Return the true difference that is found with `prompts` prompts in a share `power` of experiments.

    `variance` is that of the paired difference over prompts: for a measured one, prompts times the squared standard
    error. The result has the unit of the score.

    Raises:
        ValueError: there is no prompt, the variance is below 0, or a probability is not between 0 and 1.
    """
    if prompts < 1 or variance < 0:
        raise ValueError("at least one prompt is needed, and a variance that is not negative")
    return _quantiles(level, power) * sqrt(variance / prompts)


def _quantiles(level: float, power: float) -> float:
    """Return z(1 - alpha/2) + z(power): the detectable difference in standard errors."""
    if not (0 < level < 1 and 0 < power < 1):
        raise ValueError(f"level and power must be between 0 and 1, not {level} and {power}")
    from scipy.special import ndtri

    return float(ndtri((1 + level) / 2) + ndtri(power))
