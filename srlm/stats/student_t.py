"""Quantiles of Student's t distribution, for small and large samples.

A test compares them with SciPy's (`scipy.special.stdtrit`), which is not used here: importing it takes longer than a
small command that needs a single interval, and its last bits differ, so that reproduced intervals would change.
"""

from math import atan, cos, exp, lgamma, log1p, pi, sin, sqrt
from statistics import NormalDist

import numpy as np

_ITERATIONS = 100


def student_quantile(p: float, df: int) -> float:
    """Return the quantile `p` of a t distribution with `df` (1, 2, ...) degrees of freedom.

    By Newton's method from the normal quantile, which is nearer to 0. From there no step overshoots, because the
    distribution function is concave above 0.

    Raises:
        ValueError: `p` is not between 0 and 1, or `df` is below 1.
    """
    if not 0 < p < 1 or df < 1:
        raise ValueError(f"p must be between 0 and 1 and df at least 1, not {p} and {df}")
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
    """Return the probability between -t and t: a finite sum (Abramowitz and Stegun 26.7.3 and 26.7.4)."""
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
