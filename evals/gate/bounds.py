"""What a paired difference shows at a one-sided risk, and how many prompts would show it.

The bound of a mean difference d over K prompts at the risk a is

    d - t * sqrt(SE^2 + (z * size / K)^2) - lean * size * (1 + 2 z^2) / (6 K)

with z and t the quantiles at 1 - a of the normal distribution and of Student's t with K - 1 degrees. SE is that of the
comparison, the half of its 95 % interval over t(.975, K - 1) where that is as wide on both sides, so t * SE would be
that very interval at another confidence. The rest holds the risk where few prompts differ, or nearly all that do on one
side, and t is too sure.
`size` is how large a difference is where there is one (the root of its mean square); where none of K prompts differs,
how large one could be, and the bound is about Wilson's, z^2 size / K. `lean`, from 0 to 1, is by how much more of the
differences lie on the bad side than on the good one: the last term is Johnson's (1978, eq. 2.6) for a skewed mean, with
the skewness that differences of one size have. Both terms fade with 1 / K beside t * SE. A figure that is no mean of
prompts, as a length-controlled rate, has neither, and an SE that comes of a bootstrap.
"""

from dataclasses import dataclass
from math import sqrt

from scipy.special import ndtri, stdtrit

from evals.gate.comparison_json import Difference
from srlm.stats.intervals import wilson

MOST = 10**9
"""Prompts: what needs more of them is called never."""


@dataclass(frozen=True)
class Evidence:
    """A difference turned so that above 0 is better, in the metric's unit.

    `variance` is that of one prompt's difference, `size` how large that is where it is not 0, `lean` the share of such
    ones that are above 0 less the share below; `prompts` at least 2.
    """

    value: float
    variance: float
    size: float
    lean: float
    prompts: int

    def at_least(self, risk: float) -> float:
        """The lower bound: it lies above the true difference in a share `risk` of experiments at the most."""
        return self.value - self._allowance(-self.lean, self.prompts, risk)

    def at_most(self, risk: float) -> float:
        """The upper bound, likewise."""
        return self.value + self._allowance(self.lean, self.prompts, risk)

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
            return self._allowance(-self.lean, prompts, risk) + luck <= distance

        if distance <= 0 or not clears(MOST):
            return None
        few, enough = 1, 2
        while not clears(enough):
            few, enough = enough, 2 * enough
        while enough - few > 1:
            middle = (few + enough) // 2
            few, enough = (few, middle) if clears(middle) else (middle, enough)
        return enough

    def _allowance(self, lean: float, prompts: int, risk: float) -> float:
        """How far from the measured difference a one-sided bound lies, on the side to which the differences `lean`."""
        z = float(ndtri(1 - risk))
        error = sqrt(self.variance / prompts + (z * self.size / prompts) ** 2)
        skew = max(0.0, lean) * self.size * (1 + 2 * z**2) / (6 * prompts)
        return float(stdtrit(prompts - 1, 1 - risk)) * error + skew


def evidence(difference: Difference, better: str) -> Evidence | None:
    """What a difference of the JSON says; None where there is no interval, as with a single prompt.

    Args:
        difference: to the baseline.
        better: "more" or "less".
    """
    value, low, high, prompts = difference.value, difference.low, difference.high, difference.clusters
    if value is None or low is None or high is None or prompts < 2:
        return None
    sign = 1 if better == "more" else -1
    half, differing = (high - low) / 2, difference.wins + difference.losses
    if not differing and difference.ties:  # the interval is Wilson's, and says how large a difference could be
        return Evidence(sign * value, 0.0, half / wilson(0, prompts).high, 0.0, prompts)
    error = difference.standard_error
    variance = prompts * (half / float(stdtrit(prompts - 1, 0.975)) if error is None else error) ** 2
    if not differing:
        return Evidence(sign * value, variance, 0.0, 0.0, prompts)
    square = (variance * (prompts - 1) / prompts + value**2) * difference.n / differing
    lean = sign * (difference.wins - difference.losses) / differing
    return Evidence(sign * value, variance, sqrt(square), lean, prompts)
