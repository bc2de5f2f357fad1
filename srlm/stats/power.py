"""How many prompts a difference needs to be seen, and the smallest one that so many prompts can show.

Sources: Miller, "Adding Error Bars to Evals" (arXiv 2411.00640, section 5, on power): a difference delta between two
models on the same n prompts is found by a two-sided test at level alpha in a share `power` of experiments when

    n = (z(1 - alpha/2) + z(power))^2 * variance / delta^2,    variance = omega^2 + sigma_a^2 / K_a + sigma_b^2 / K_b

with omega^2 the variance of the true difference from prompt to prompt, and sigma^2 that of one answer's score around
its prompt's mean, of which K are averaged. Left out: Student's t instead of the normal distribution, which matters
below some 30 prompts, where n comes out a little too small.
"""

from math import ceil, sqrt

from scipy.special import ndtri


def difference_variance(
    between: float, within: tuple[float, float] = (0.0, 0.0), samples: tuple[int, int] = (1, 1)
) -> float:
    """What one prompt's difference between two models varies by, in squared units of the score.

    Args:
        between: omega^2, the variance of the true difference over prompts.
        within: sigma^2 of each model's score on one prompt, from answer to answer.
        samples: how many answers of each model are averaged.

    Raises ValueError for a variance below 0 or no sample.
    """
    if between < 0 or min(within) < 0 or min(samples) < 1:
        raise ValueError("variances are not negative, and each model gives at least one answer to a prompt")
    return between + within[0] / samples[0] + within[1] / samples[1]


def prompts_needed(difference: float, variance: float, *, level: float = 0.95, power: float = 0.8) -> int:
    """Number of prompts at which a true `difference` is found in a share `power` of experiments.

    `variance` is that of the paired difference over prompts; a level of .95 is a test at 5 %, two-sided. Raises
    ValueError for a difference of 0, a variance below 0, and probabilities that are none.
    """
    if difference == 0 or variance < 0:
        raise ValueError("no number of prompts shows a difference of 0, and a variance is not negative")
    return max(1, ceil(_quantiles(level, power) ** 2 * variance / difference**2))


def smallest_difference(prompts: int, variance: float, *, level: float = 0.95, power: float = 0.8) -> float:
    """The true difference that `prompts` prompts show in a share `power` of experiments, in the unit of the score.

    `variance` is that of the paired difference over prompts: for a measured one, prompts times the squared standard
    error. Raises ValueError for no prompt, a variance below 0, and probabilities that are none.
    """
    if prompts < 1 or variance < 0:
        raise ValueError("at least one prompt is needed, and a variance is not negative")
    return _quantiles(level, power) * sqrt(variance / prompts)


def _quantiles(level: float, power: float) -> float:
    """Standard errors between no difference and one that is found so often."""
    if not (0 < level < 1 and 0 < power < 1):
        raise ValueError(f"a level and a power lie between 0 and 1, not {level} and {power}")
    return float(ndtri((1 + level) / 2) + ndtri(power))
