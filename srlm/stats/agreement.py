"""How far two raters agree beyond chance: Cohen's kappa, plain for names and quadratic for grades.

    kappa = 1 - (observed disagreement) / (disagreement of two raters with the same habits who do not look)

The disagreement of two categories is 0 or 1 (Cohen 1960), or the square of their distance (Cohen 1968), so that 4
against 5 weighs less than 0 against 5. Left out: Fleiss' kappa and Krippendorff's alpha, for more than two raters.
"""

from math import nan
from typing import Literal

import numpy as np
import numpy.typing as npt

from srlm.stats.intervals import Estimate, Floats, cluster_codes, resampled_counts

Weights = Literal["equal", "quadratic"]


def cohen_kappa(
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    clusters: npt.ArrayLike | None = None,
    weights: Weights = "equal",
    level: float = 0.95,
    resamples: int = 2_000,
    seed: int = 0,
) -> Estimate:
    """Agreement of the ratings `a` and `b` of the same items (shape n each), with the bootstrap over `clusters`.

    1 is agreement everywhere, 0 what chance gives, below 0 less than that. Ratings are names or numbers; quadratic
    weights need numbers, and use their distances as they are. The interval is the percentile one over the resamples in
    which kappa is defined. Where both raters know one category only there is no chance to beat: nan throughout. One
    cluster, and agreement everywhere, give an interval of nan. Raises ValueError for shapes that differ, and for what
    is not finite.
    """
    one, two = np.asarray(a), np.asarray(b)
    if one.ndim != 1 or one.shape != two.shape:
        raise ValueError(f"two ratings of the same items are needed, not {one.shape} and {two.shape}")
    if not one.size:
        return Estimate(nan, nan, nan, 0, 0)
    if not all(np.isfinite(ratings).all() for ratings in (one, two) if ratings.dtype.kind == "f"):
        raise ValueError("expected finite grades, without what was not read")
    categories, coded = np.unique(np.concatenate([one, two]), return_inverse=True)
    distance = _distance(categories, weights)
    codes = cluster_codes(clusters, one.shape)
    size, count = len(categories), int(codes.max()) + 1
    cells = np.zeros((count, size * size))
    np.add.at(cells, (codes, coded[: one.size] * size + coded[one.size :]), 1.0)
    value = float(_kappa(cells.sum(axis=0, keepdims=True), distance)[0])
    if np.isnan(value) or count < 2:
        return Estimate(value, nan, nan, one.size, count)
    cells = cells[np.lexsort(cells.T)]  # so that the same clusters in another order draw the same resamples
    draws = [_kappa(drawn @ cells, distance) for drawn in resampled_counts(count, resamples, seed)]
    found = np.concatenate(draws)
    found = found[~np.isnan(found)]
    if not found.size or np.ptp(found) == 0:  # the resamples cannot show how far it may be from one
        return Estimate(value, nan, nan, one.size, count)
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2])
    return Estimate(value, float(low), float(high), one.size, count)


def _distance(categories: npt.NDArray[np.generic], weights: Weights) -> Floats:
    """How far two categories disagree, shape (categories, categories)."""
    if weights == "equal":
        return 1 - np.eye(len(categories))
    grades = categories.astype(np.float64)
    return np.subtract.outer(grades, grades) ** 2


def _kappa(cells: Floats, distance: Floats) -> Floats:
    """Kappa of each row of counts, shape (rows, categories^2); nan where chance alone agrees everywhere."""
    counts = cells.reshape(-1, *distance.shape)
    observed = np.einsum("rij,ij->r", counts, distance)
    total = counts.sum(axis=(1, 2))
    expected = np.einsum("ri,ij,rj->r", counts.sum(axis=2), distance, counts.sum(axis=1)) / np.maximum(total, 1)
    defined = expected > 0
    return np.where(defined, 1 - observed / np.where(defined, expected, 1.0), nan)
