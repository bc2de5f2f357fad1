"""Student's t: the quantile for small and large samples alike.

SciPy has it (`scipy.special.stdtrit`), and a test holds this one to it; but importing `scipy.special` takes longer than
the whole recomputation of a leaderboard's entry, and every interval of a mean needs this one number.
"""

from math import atan, cos, exp, lgamma, log1p, pi, sin, sqrt
from statistics import NormalDist

import numpy as np

_ITERATIONS = 100


def student_quantile(p: float, df: int) -> float:
    """Below which the share `p` of a t distribution with `df` (1, 2, ...) degrees of freedom lies.

    Newton's method from the normal quantile: it lies nearer to 0, and from there each step falls short of the answer,
    because the distribution function is concave above 0. Raises ValueError for other arguments.
    """
    if not 0 < p < 1 or df < 1:
        raise ValueError(f"a share between 0 and 1 and at least one degree of freedom, not {p} and {df}")
    if p < 0.5:
        return -student_quantile(1 - p, df)
    t = NormalDist().inv_cdf(p)
    for _ in range(_ITERATIONS):
        step = (p - 0.5 - _within(t, df) / 2) / _density(t, df)
        t += step
        if abs(step) <= 1e-14 * (1 + t):
            break
    return t


def _within(t: float, df: int) -> float:
    """The share between -t and t: a finite sum (Abramowitz and Stegun 26.7.3 and 26.7.4)."""
    angle = atan(t / sqrt(df))
    c = cos(angle) ** 2
    if df % 2:
        k = np.arange(1, (df - 1) // 2)
        terms = np.cumprod(np.concatenate([[1.0], 2 * k / (2 * k + 1) * c])) if df > 1 else np.zeros(1)
        return 2 / pi * (angle + sin(angle) * cos(angle) * float(terms.sum()))
    k = np.arange(1, df // 2)
    return sin(angle) * float(np.cumprod(np.concatenate([[1.0], (2 * k - 1) / (2 * k) * c])).sum())


def _density(t: float, df: int) -> float:
    log = lgamma((df + 1) / 2) - lgamma(df / 2) - (df + 1) / 2 * log1p(t * t / df)
    return exp(log) / sqrt(df * pi)
