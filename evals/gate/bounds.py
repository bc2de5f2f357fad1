"""One-sided confidence bounds of a paired difference, and the number of prompts that are needed to clear a threshold.

The bound of a mean difference d over K prompts at the risk a is

    d - t * sqrt(SE^2 + (z * size / K)^2) - imbalance * size * (1 + 2 z^2) / (6 K)

with z and t the quantiles at 1 - a of the normal distribution and of Student's t with K - 1 degrees. SE is that of the
comparison: half of its 95 % interval over t(.975, K - 1) where that is symmetric, so t * SE is the same interval at
another confidence. The other terms keep the risk where few prompts differ, or nearly all of them in one direction, for
which t is too narrow.
`size` is how large a difference is where there is one (the root of its mean square); where none of K prompts differs,
how large one could be, and the bound is about Wilson's, z^2 size / K. `imbalance`, from 0 to 1, is the share of
differences on the bad side less that on the good side: the last term is Johnson's (1978, eq. 2.6) for a skewed mean,
with the skewness of differences of one size. Both terms vanish as 1 / K. A metric that is no mean over prompts, as a
length-controlled rate, has neither of them, and an SE from a bootstrap.
"""

from dataclasses import dataclass
from math import sqrt

from scipy.special import ndtri, stdtrit

from evals.gate.comparison_json import Difference
from evals.metric import Direction
from srlm.stats.intervals import wilson

MOST_PROMPTS = 10**9
"""Above this the number of prompts is reported as unreachable."""


@dataclass(frozen=True)
class Evidence:
    """A paired difference, oriented so that above 0 is better, in the metric's unit.

    Attributes:
        value: the mean difference.
        variance: of one prompt's difference.
        size: how large one prompt's difference is where it is not 0.
        imbalance: the share of those above 0 less the share of those below.
        prompts: at least 2.
    """

    value: float
    variance: float
    size: float
    imbalance: float
    prompts: int

    def lower_bound(self, risk: float) -> float:
        """Return the lower bound, which is above the true difference in at most a share `risk` of experiments."""
        return self.value - self._margin_of_error(-self.imbalance, self.prompts, risk)

    def upper_bound(self, risk: float) -> float:
        """Return the upper bound, which is below the true difference in at most a share `risk` of experiments."""
        return self.value + self._margin_of_error(self.imbalance, self.prompts, risk)

    def prompts_needed(self, distance: float, risk: float, power: float) -> int | None:
        """Return how many such prompts a bound needs to clear a threshold in a share `power` of experiments.

        `srlm.stats.power` has the same formula with the normal distribution in place of Student's t, and without the
        second term of the error.

        Args:
            distance: between the true difference and the threshold, in the metric's unit.
            risk: of the bound, one-sided.
            power: at least one half.

        Returns:
            None where more than `MOST_PROMPTS` are needed.
        """

        def clears(prompts: int) -> bool:
            spread = float(ndtri(power)) * sqrt(self.variance / prompts)
            return self._margin_of_error(-self.imbalance, prompts, risk) + spread <= distance

        if distance <= 0 or not clears(MOST_PROMPTS):
            return None
        few, enough = 1, 2
        while not clears(enough):
            few, enough = enough, 2 * enough
        while enough - few > 1:
            middle = (few + enough) // 2
            few, enough = (few, middle) if clears(middle) else (middle, enough)
        return enough

    def _margin_of_error(self, imbalance: float, prompts: int, risk: float) -> float:
        """Return the distance of a one-sided bound, on the side to which `imbalance` is positive."""
        z = float(ndtri(1 - risk))
        error = sqrt(self.variance / prompts + (z * self.size / prompts) ** 2)
        skew = max(0.0, imbalance) * self.size * (1 + 2 * z**2) / (6 * prompts)
        return float(stdtrit(prompts - 1, 1 - risk)) * error + skew


def evidence(difference: Difference, better: Direction) -> Evidence | None:
    """Return the evidence of a difference to the baseline; None where it has no interval, as with a single prompt.

    `better` is "more" or "less".
    """
    value, low, high, prompts = difference.value, difference.low, difference.high, difference.clusters
    if value is None or low is None or high is None or prompts < 2:
        return None
    sign = 1 if better == "more" else -1
    half, differing = (high - low) / 2, difference.wins + difference.losses
    if not differing and difference.ties:  # the interval is Wilson's: how large a difference could be
        return Evidence(sign * value, 0.0, half / wilson(0, prompts).high, 0.0, prompts)
    error = difference.standard_error
    variance = prompts * (half / float(stdtrit(prompts - 1, 0.975)) if error is None else error) ** 2
    if not differing:
        return Evidence(sign * value, variance, 0.0, 0.0, prompts)
    square = (variance * (prompts - 1) / prompts + value**2) * difference.n / differing
    imbalance = sign * (difference.wins - difference.losses) / differing
    return Evidence(sign * value, variance, sqrt(square), imbalance, prompts)
