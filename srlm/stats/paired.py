"""Two models on the same prompts: how large the difference is, and whether chance alone would give it.

Pairing removes what the prompts have in common, which is much of the noise (arXiv 2411.00640).
The p value is that of a permutation test, which assumes no distribution: were the two models equal, each
cluster could as well have come out with the opposite sign. The sign test (McNemar's) looks at the direction of each
difference alone; Wilcoxon's (1945) signed-rank test also at which is larger, not by how much.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan, nan

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr
from scipy.stats import binomtest, rankdata

from srlm.stats.intervals import Estimate, Floats, Seen, checked, cluster_codes, cluster_sums, mean_with_error

_EXACT = 14  # up to here all 2^14 sign patterns are counted; above, so many random ones are drawn:
_FLIPS = 20_000
_CHUNK = 1_000_000  # signs held at a time


@dataclass(frozen=True)
class Paired:
    """The mean of a - b with its interval, the permutation p value, and how often a is above, at, below b.

    `standard_error` is that of the difference where its interval does not show it, being wider on one side.
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

    The interval is that of `mean_interval`; `bounds` is the range of a score, used as there, so that no difference
    is larger than the scale. The two-sided p value flips the signs of whole
    clusters: exact up to 14 clusters with a difference, else by so many seeded `flips`, counted with the
    observed one (Phipson and Smyth 2010), so that it is never 0. No data: nan. No difference anywhere: 1.
    Wins, ties and losses count single items. Raises ValueError for shapes that differ and values that are not
    finite.
    """
    x, y = checked(a), checked(b)
    if x.shape != y.shape:
        raise ValueError(f"scores of the same prompts are needed, not {x.size} and {y.size}")
    d = x - y
    width = bounds[1] - bounds[0]
    ends = Seen((-width, width)) if isinstance(bounds, Seen) else (-width, width)
    estimate, error = mean_with_error(d, clusters, level, bounds=ends)
    sums = cluster_sums(d, cluster_codes(clusters, d.shape))
    wins, losses = int((d > 0).sum()), int((d < 0).sum())
    return Paired(estimate, _sign_flip_p(sums, seed, flips), wins, d.size - wins - losses, losses, error)


def sign_test(wins: int, losses: int) -> float:
    """The exact two-sided binomial p value of wins against losses (McNemar's exact test); 1 for 0 and 0."""
    return float(binomtest(wins, wins + losses, 0.5).pvalue) if wins + losses else 1.0


def signed_rank_test(differences: npt.ArrayLike) -> float:
    """Wilcoxon's signed-rank test of paired `differences` (shape n, independent): the two-sided p value.

    Zeros keep their ranks and then leave (Pratt 1959), equal sizes share their mean rank. Exact up to 14 differences
    other than 0, above that the normal approximation, with the variance that these ranks have and no correction for
    continuity. No data: nan. No difference anywhere: 1. Raises ValueError for values that are not finite.
    """
    d = checked(differences)
    if not d.size:
        return nan
    ranks = rankdata(np.abs(d)) * np.sign(d)
    if np.count_nonzero(ranks) <= _EXACT:
        return _sign_flip_p(ranks, 0, 0)
    return float(2 * ndtr(-abs(ranks.sum()) / np.sqrt(ranks @ ranks)))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's (1979) adjustment of p values for having made several tests, in the order given.

    A nan is a test that was not made: it stays nan and does not make the others stricter.
    """
    made = sorted((p, i) for i, p in enumerate(p_values) if not isnan(p))
    adjusted, running = [nan] * len(p_values), 0.0
    for rank, (p, i) in enumerate(made):
        running = max(running, min(1.0, p * (len(made) - rank)))
        adjusted[i] = running
    return adjusted


def _sign_flip_p(sums: Floats, seed: int, flips: int) -> float:
    """How often random signs give a total at least as far from 0; `sums` are the differences per cluster."""
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
