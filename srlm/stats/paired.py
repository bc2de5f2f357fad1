"""Paired comparison of two models on the same prompts: the difference with its interval, and tests.

Pairing removes the variance between prompts, which is much of the noise (arXiv 2411.00640). The p value is that of a
permutation test, which assumes no distribution: if the two models were equal, each cluster's difference could as well
have the opposite sign. The sign test (McNemar's) uses only the direction of each difference. Holm's method adjusts p
values for several tests. Left out: Wilcoxon's signed-rank test.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan, nan

import numpy as np
import numpy.typing as npt

from srlm.stats.intervals import Estimate, Floats, ObservedRange, checked, cluster_codes, cluster_sums, mean_with_error

_EXACT = 14  # up to so many clusters all 2^14 sign patterns are counted; above, random ones are drawn:
_FLIPS = 20_000
_CHUNK = 1_000_000  # signs held at a time


@dataclass(frozen=True)
class Paired:
    """The mean of a - b with its interval, the permutation p value, and counts of a above, equal to and below b.

    `standard_error` is that of the difference, given if the interval does not show it because one side is wider.
    """

    difference: Estimate
    p_value: float
    wins: int
    ties: int
    losses: int
    standard_error: float | None = None


def paired_difference(
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    clusters: npt.ArrayLike | None = None,
    level: float = 0.95,
    seed: int = 0,
    *,
    bounds: tuple[float, float] = (0.0, 1.0),
    flips: int = _FLIPS,
) -> Paired:
    """Compare scores `a` and `b` (shape n each, same prompts in the same order); `clusters` (shape n).

    The interval is that of `mean_interval`; `bounds` is the range of a score, used as there, so that no difference is
    larger than the scale. The two-sided p value flips the signs of whole clusters: exact up to 14 clusters with a
    difference, else by that many seeded `flips`, counted with the observed one (Phipson and Smyth, 2010), so that it is
    never 0. No data: nan. No difference anywhere: 1. Wins, ties and losses count single items.

    Raises:
        ValueError: shapes differ, or a value is not finite.
    """
    x, y = checked(a), checked(b)
    if x.shape != y.shape:
        raise ValueError(f"scores of the same prompts are needed, not {x.size} and {y.size}")
    d = x - y
    width = bounds[1] - bounds[0]
    ends = ObservedRange((-width, width)) if isinstance(bounds, ObservedRange) else (-width, width)
    estimate, error = mean_with_error(d, clusters, level, bounds=ends)
    sums = cluster_sums(d, cluster_codes(clusters, d.shape))
    wins, losses = int((d > 0).sum()), int((d < 0).sum())
    return Paired(estimate, _sign_flip_p(sums, seed, flips), wins, d.size - wins - losses, losses, error)


def sign_test(wins: int, losses: int) -> float:
    """Return the exact two-sided binomial p value of wins against losses (McNemar's exact test); 1 for 0 and 0."""
    from scipy.stats import binomtest

    return float(binomtest(wins, wins + losses, 0.5).pvalue) if wins + losses else 1.0


def holm(p_values: Sequence[float]) -> list[float]:
    """Return the p values adjusted for multiple tests by Holm's method (1979), in the order given.

    A nan is a test that was not made: it stays nan and does not count as a test.
    """
    made = sorted((p, i) for i, p in enumerate(p_values) if not isnan(p))
    adjusted, running = [nan] * len(p_values), 0.0
    for rank, (p, i) in enumerate(made):
        running = max(running, min(1.0, p * (len(made) - rank)))
        adjusted[i] = running
    return adjusted


def _sign_flip_p(sums: Floats, seed: int, flips: int) -> float:
    """Return the share of random signs that give a total at least as far from 0; `sums` are differences per cluster."""
    if not sums.size:
        return nan
    # Ordered sizes, not signed sums: the answer depends on neither the clusters' order nor which model is a.
    sizes = np.sort(np.abs(sums))
    slack = 1e-9 * float(sizes.sum())  # sums that are equal in theory differ in their last bits
    sizes = sizes[sizes > slack / sizes.size]
    observed = abs(float(sums.sum())) - slack
    if sizes.size <= _EXACT:
        patterns = np.arange(2**sizes.size)[:, None] >> np.arange(sizes.size) & 1
        return float(np.mean(np.abs((2.0 * patterns - 1) @ sizes) >= observed))
    rng, extreme = np.random.default_rng(seed), 0
    step = max(1, _CHUNK // sizes.size)
    for start in range(0, flips, step):
        heads = rng.integers(0, 2, size=(min(step, flips - start), sizes.size), dtype=np.int8)
        extreme += int((np.abs((2.0 * heads - 1) @ sizes) >= observed).sum())
    return (extreme + 1) / (flips + 1)
