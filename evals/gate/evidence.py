"""What a paired difference shows at a one-sided risk, and how many prompts would show it.

The bound of a mean difference d over K prompts at the risk a is

    d - t(1 - a, K - 1) * error,    error^2 = SE^2 + (z(1 - a) * size / K)^2

SE is that of the comparison: the half of its 95 % interval over t(.975, K - 1), so the first term alone would be that
very interval at another confidence. The second holds the risk where few prompts differ at all, and t is too sure of
itself: `size` is how large a difference is where there is one (the root of its mean square). Where none of K prompts
differs it is how large one could be, and the bound is about Wilson's, z^2 size / K. It fades with 1 / K^2.
"""

from dataclasses import dataclass
from math import sqrt

from scipy.special import ndtri, stdtrit

from evals.gate.compared import Difference
from srlm.stats.intervals import wilson

MOST = 10**9
"""Prompts: what needs more of them is called never."""


@dataclass(frozen=True)
class Evidence:
    """A difference turned so that above 0 is better, in the metric's unit.

    `variance` is that of one prompt's difference, `size` how large that is where it is not 0; `prompts` at least 2.
    """

    value: float
    variance: float
    size: float
    prompts: int

    def at_least(self, risk: float) -> float:
        """The lower bound: it lies above the true difference in a share `risk` of experiments at the most."""
        return self.value - _allowance(self.variance, self.size, self.prompts, risk)

    def at_most(self, risk: float) -> float:
        """The upper bound, likewise."""
        return self.value + _allowance(self.variance, self.size, self.prompts, risk)

    def prompts_needed(self, distance: float, risk: float, power: float) -> int | None:
        """How many such prompts it takes for a bound to clear a threshold in a share `power` of experiments.

        Args:
            distance: between the true difference and the threshold, in the metric's unit.
            risk: of the bound, one-sided.
            power: at least one half.

        None where no number of prompts is enough that anybody has. `srlm.stats.power` has the same formula with the
        normal distribution in place of Student's t, and without the second term of the error.
        """

        def clears(prompts: int) -> bool:
            luck = float(ndtri(power)) * sqrt(self.variance / prompts)
            return _allowance(self.variance, self.size, prompts, risk) + luck <= distance

        if distance <= 0 or not clears(MOST):
            return None
        few, enough = 1, 2
        while not clears(enough):
            few, enough = enough, 2 * enough
        while enough - few > 1:
            middle = (few + enough) // 2
            few, enough = (few, middle) if clears(middle) else (middle, enough)
        return enough


def evidence(difference: Difference, better: str) -> Evidence | None:
    """What a difference of the JSON says; None where there is no interval, as with a single prompt.

    Args:
        difference: to the baseline.
        better: "more" or "less".
    """
    value, low, high, prompts = difference.value, difference.low, difference.high, difference.clusters
    if value is None or low is None or high is None or prompts < 2:
        return None
    turned = value if better == "more" else -value
    half, differing = (high - low) / 2, difference.wins + difference.losses
    if not differing:  # the interval is Wilson's, and says how large a difference could be
        return Evidence(turned, 0.0, half / wilson(0, prompts).high, prompts)
    variance = prompts * (half / float(stdtrit(prompts - 1, 0.975))) ** 2
    square = (variance * (prompts - 1) / prompts + value**2) * difference.n / differing
    return Evidence(turned, variance, sqrt(square), prompts)


def _allowance(variance: float, size: float, prompts: int, risk: float) -> float:
    """How far from the measured difference a one-sided bound lies."""
    error = sqrt(variance / prompts + (float(ndtri(1 - risk)) * size / prompts) ** 2)
    return float(stdtrit(prompts - 1, 1 - risk)) * error
