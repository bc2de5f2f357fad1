"""Confidence intervals of rates and means, clustered by the unit that was sampled: usually the prompt.

Verdicts on one prompt (both orders, several samples, the turns of a conversation) are not independent, so standard
errors are computed from the variance between clusters. Sources: Miller, "Adding Error Bars to Evals" (arXiv 2411.00640,
independent and clustered questions) for the standard errors; Wilson (1927) for rates; Efron's percentile bootstrap for
ratios of sums; Korn and Graubard (1998) for the effective sample size of means near an end of their scale, used in
Wilson's interval with Student's quantile, as Dean and Pagano (2015) compare it for clustered proportions.

Left out: BCa and Bayesian intervals.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite, nan, sqrt
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from srlm.stats.student_t import student_quantile

Floats = npt.NDArray[np.float64]

_CHUNK = 50_000  # draws in memory at a time: they fit into a processor's cache, which makes them twice as fast


@dataclass(frozen=True)
class Estimate:
    """A value with its confidence interval, in the unit of the data; nan if the data are insufficient.

    `n` counts the observations (for a ratio: the sum of the denominators), `clusters` the independent units.
    """

    value: float
    low: float
    high: float
    n: int
    clusters: int


def wilson(successes: float, n: int, level: float = 0.95) -> Estimate:
    """Compute the share of `successes` in `n` independent trials with Wilson's score interval; a tie may be a half.

    n = 0 gives nan throughout.

    Raises:
        ValueError: `successes` is not within 0..n.
    """
    z = NormalDist().inv_cdf(_upper(level))
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} successes in {n} trials")
    if n == 0:
        return Estimate(nan, nan, nan, 0, 0)
    p = successes / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    # In theory the interval contains p and stays in [0, 1]; min and max ensure it in floating point.
    return Estimate(p, max(0.0, min(p, centre - half)), min(1.0, max(p, centre + half)), n, n)


class ObservedRange(tuple[float, float]):
    """The range of the observed values, as `bounds` of a variable without a fixed scale, such as length."""

    __slots__ = ()


def mean_interval(
    values: npt.ArrayLike,
    clusters: npt.ArrayLike | None = None,
    level: float = 0.95,
    *,
    bounds: tuple[float, float] = (0.0, 1.0),
) -> Estimate:
    """Compute the mean of `values` (shape n) with a cluster-robust t interval; `clusters` (shape n) labels each value.

    Without labels each value is a cluster. The standard error is the clustered one of arXiv 2411.00640, the quantile
    Student's t with clusters - 1 degrees of freedom. No value: nan throughout; one cluster: the interval is nan.
    `bounds` is the range of possible values. It is used if all clusters have the same mean, and if the interval would
    exceed it (`within_ends`), unless it is an `ObservedRange` or a value lies outside it.

    Raises:
        ValueError: a value is not finite, or the labels have another shape.
    """
    return mean_with_error(values, clusters, level, bounds=bounds)[0]


def mean_with_error(
    values: npt.ArrayLike,
    clusters: npt.ArrayLike | None = None,
    level: float = 0.95,
    *,
    bounds: tuple[float, float] = (0.0, 1.0),
) -> tuple[Estimate, float | None]:
    """Compute `mean_interval`, and the standard error if the interval does not show it (one side is wider)."""
    x, codes = checked(values), cluster_codes(clusters, np.shape(values))
    n, count = x.size, int(codes.max()) + 1 if codes.size else 0
    quantile = _upper(level)
    if n == 0:
        return Estimate(nan, nan, nan, 0, 0), None
    mean = float(x.mean())
    if count == 1:
        return Estimate(mean, nan, nan, n, 1), None
    residuals = x - mean
    sums = cluster_sums(residuals, codes)
    if _all_equal(mean + sums / np.bincount(codes)):
        return _without_spread(mean, n, count, level, bounds), None
    # The paper's SE^2 plus the products within clusters over n^2, rearranged so that it cannot fall below 0.
    error = sqrt(float(residuals @ residuals) / (n - 1) + float(sums @ sums)) / n
    half = student_quantile(quantile, count - 1) * error
    low, high = mean - half, mean + half
    has_ends = not isinstance(bounds, ObservedRange) and bounds[0] <= x.min() and x.max() <= bounds[1]
    if not has_ends or (bounds[0] <= low and high <= bounds[1]):
        return Estimate(mean, low, high, n, count), None
    return Estimate(mean, *within_ends(mean, half, bounds), n, count), error


def within_ends(mean: float, half: float, bounds: tuple[float, float]) -> tuple[float, float]:
    """Return Wilson's interval in place of `mean` -+ `half`, for a mean between the ends of a scale.

    As a share p of the scale, the mean has the error of p in p (1 - p) / SE^2 independent trials: the effective sample
    size. With q the quantile times SE, which is `half` on the scale, Wilson's k = q^2 / (p (1 - p)). Both methods agree
    if p is far from both ends. With an infinite end the interval is unchanged.
    """
    low, high = bounds
    width = high - low
    p = (mean - low) / width if isfinite(width) else nan
    spread = p * (1 - p)
    if not spread > 0:
        return mean - half, mean + half
    q = half / width
    k = q * q / spread
    centre, reach = (p + k / 2) / (1 + k), sqrt(q * q + k * k / 4) / (1 + k)
    # In theory it contains p and stays within the ends; min and max ensure it in floating point.
    ends = max(0.0, min(p, centre - reach)), min(1.0, max(p, centre + reach))
    return min(mean, low + width * ends[0]), max(mean, low + width * ends[1])


def bootstrap_ratio(
    numerators: npt.ArrayLike,
    denominators: npt.ArrayLike,
    level: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
) -> Estimate:
    """Compute sum of `numerators` over sum of `denominators`, both per cluster (shape clusters), with the bootstrap.

    For rates and means whose clusters differ in size, such as correct pairs over pairs per instruction. The interval is
    the percentile one. Clusters with denominator 0 are left out; none left gives nan throughout, one gives an interval
    of nan. The order of the clusters does not matter.

    Raises:
        ValueError: shapes differ, a value is not finite, or a denominator is negative.
    """
    tops, bottoms = checked(numerators), checked(denominators)
    if tops.shape != bottoms.shape or (bottoms < 0).any():
        raise ValueError("one numerator for each denominator, and no denominator below 0")
    quantile = _upper(level)
    tops, bottoms = tops[bottoms > 0], bottoms[bottoms > 0]
    n, count = round(float(bottoms.sum())), bottoms.size
    if count == 0:
        return Estimate(nan, nan, nan, 0, 0)
    value = float(tops.sum() / bottoms.sum())
    if count == 1:
        return Estimate(value, nan, nan, n, 1)
    if _all_equal(tops / bottoms):
        return _without_spread(value, n, count, level, (0.0, 1.0))
    order = np.lexsort((bottoms, tops))  # so that the same clusters in another order draw the same resamples
    sums = np.column_stack([tops, bottoms])[order]
    draws = np.concatenate([np.divide(*(drawn @ sums).T) for drawn in resampled_counts(count, resamples, seed)])
    low, high = np.quantile(draws, [1 - quantile, quantile])
    return Estimate(value, float(low), float(high), n, count)


def resampled_counts(clusters: int, resamples: int, seed: int) -> Iterator[Floats]:
    """Yield bootstrap resamples in chunks: the count of each cluster in each resample, shape (chunk, clusters).

    As weights they turn sums per cluster into sums per resample by one matrix product.
    """
    rng, step = np.random.default_rng(seed), max(1, _CHUNK // clusters)
    for start in range(0, resamples, step):
        rows = min(step, resamples - start)
        drawn = rng.integers(0, clusters, size=(rows, clusters)) + clusters * np.arange(rows)[:, None]
        yield np.bincount(drawn.ravel(), minlength=rows * clusters).reshape(rows, clusters).astype(np.float64)


def checked(values: npt.ArrayLike) -> Floats:
    """Return `values` as an array of float64.

    Raises:
        ValueError: it is not one-dimensional, or a value is not finite.
    """
    x = np.asarray(values, dtype=np.float64)
    if x.ndim != 1 or not np.isfinite(x).all():
        raise ValueError("expected a one-dimensional array of finite numbers; leave out missing values")
    return x


def cluster_codes(clusters: npt.ArrayLike | None, shape: tuple[int, ...]) -> npt.NDArray[np.intp]:
    """Return the labels as integers 0, 1, ... without gaps; without labels each item is a cluster."""
    if clusters is None:
        return np.arange(shape[0], dtype=np.intp)
    labels = np.asarray(clusters)
    if labels.shape != shape:
        raise ValueError(f"{labels.shape} cluster labels for values of shape {shape}")
    return np.unique(labels, return_inverse=True)[1]


def cluster_sums(values: Floats, codes: npt.NDArray[np.intp]) -> Floats:
    """Sum the `values` (shape n) per cluster: shape clusters."""
    return np.bincount(codes, weights=values).astype(np.float64)


def _upper(level: float) -> float:
    """Return the upper quantile of a two-sided interval: .975 for .95."""
    if not 0 < level < 1:
        raise ValueError(f"a confidence level must be between 0 and 1, not {level}")
    return (1 + level) / 2


def _all_equal(x: Floats) -> bool:
    return bool(np.ptp(x) <= 1e-12 * max(1.0, float(np.abs(x).max())))


def _without_spread(value: float, n: int, clusters: int, level: float, bounds: tuple[float, float]) -> Estimate:
    """Return the interval of equal clusters, for which a standard error or a bootstrap would give width 0.

    0 of `clusters` differed, so by Wilson's interval up to a share u of all prompts may still differ, by any value in
    `bounds`. For all 1.0 or all 0.0 this is exactly Wilson's interval on the number of clusters. Without a finite
    range, or for a value outside it: nan.
    """
    low, high = bounds
    if not (isfinite(low) and isfinite(high) and low - 1e-12 <= value <= high + 1e-12):
        return Estimate(value, nan, nan, n, clusters)
    u = wilson(0, clusters, level).high
    below, above = value - u * (value - low), value + u * (high - value)
    return Estimate(value, min(value, below), max(value, above), n, clusters)
