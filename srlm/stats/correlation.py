"""Rank correlation of two variables of the same items, such as a judge's score and the answer's length.

Left out: Pearson's correlation, because lengths are skewed, and a p value, because the interval shows it.
"""

from math import nan

import numpy as np
import numpy.typing as npt

from srlm.stats.intervals import Estimate, Floats, checked, cluster_codes

_FEWEST = 3  # clusters: with two, every resample is a line or a point


def spearman(
    x: npt.ArrayLike,
    y: npt.ArrayLike,
    clusters: npt.ArrayLike | None = None,
    level: float = 0.95,
    resamples: int = 2_000,
    seed: int = 0,
) -> Estimate:
    """Compute Spearman's rank correlation of `x` and `y` (shape n each), with the percentile bootstrap over `clusters`.

    Equal values share their mean rank. If one of the two is constant, there is no correlation: nan throughout.
    Resamples in which one is constant are left out. Fewer than three clusters, or a perfect correlation, give an
    interval of nan.

    Raises:
        ValueError: shapes differ, or a value is not finite.
    """
    a, b = checked(x), checked(y)
    if a.shape != b.shape:
        raise ValueError(f"two values of each item are needed, not {a.size} and {b.size}")
    codes = cluster_codes(clusters, a.shape)
    count = int(codes.max()) + 1 if codes.size else 0
    value = _rank_correlation(a, b)
    if np.isnan(value) or count < _FEWEST:
        return Estimate(value, nan, nan, a.size, count)
    members = [np.flatnonzero(codes == code) for code in range(count)]
    rng = np.random.default_rng(seed)
    drawn = [np.concatenate([members[code] for code in rng.integers(0, count, count)]) for _ in range(resamples)]
    found = np.array([one for rows in drawn if not np.isnan(one := _rank_correlation(a[rows], b[rows]))])
    if np.ptp(found) == 0:  # a perfect order: resamples cannot show how far it may be from 1
        return Estimate(value, nan, nan, a.size, count)
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2])
    return Estimate(value, float(low), float(high), a.size, count)


def _rank_correlation(a: Floats, b: Floats) -> float:
    from scipy.stats import rankdata

    if a.size == 0 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return nan
    one, two = rankdata(a), rankdata(b)
    one, two = one - one.mean(), two - two.mean()
    return float(one @ two / np.sqrt((one @ one) * (two @ two)))
