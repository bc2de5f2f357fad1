"""How far two raters agree beyond chance: Cohen's kappa, plain for names and quadratic for grades.

    kappa = 1 - (observed disagreement) / (disagreement of two raters with the same habits who do not look)

The disagreement of two categories is 0 or 1 (Cohen 1960), or the square of their distance (Cohen 1968), so that 4
against 5 weighs less than 0 against 5. For more than two raters it is the mean over all pairs of them (Light 1971).
Left out: Fleiss' kappa and Krippendorff's alpha.
"""

from collections.abc import Callable, Sequence
from itertools import combinations
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
    return _bootstrapped(cells, lambda sums: _kappa(sums, distance), one.size, level, resamples, seed)


def mean_kappa(
    raters: Sequence[Sequence[str | None]], level: float = 0.95, resamples: int = 2_000, seed: int = 0
) -> Estimate:
    """The mean of Cohen's kappa over all pairs of raters of the same items, with the bootstrap over the items.

    Each rater has a name of a category for each item (shape n), or None where there is no rating; a pair of raters is
    compared on what both rated, and left out where its kappa is not defined. Of two raters it is `cohen_kappa`. `n`
    counts the items that two at least rated. Raises ValueError for raters of different length.
    """
    if len({len(ratings) for ratings in raters}) > 1:
        raise ValueError("ratings of the same items are needed")
    categories = sorted({rating for ratings in raters for rating in ratings if rating is not None})
    place, size = {name: i for i, name in enumerate(categories)}, len(categories)
    cells = [_crossed(one, two, place) for one, two in combinations(raters, 2)]
    if not cells or not size:
        return Estimate(nan, nan, nan, 0, 0)
    distance = _distance(np.asarray(categories), "equal")

    def mean(sums: Floats) -> Floats:
        """Of each row of counts: the mean over those pairs that have a kappa; nan where none has."""
        kappas = np.stack([_kappa(part, distance) for part in np.split(sums, len(cells), axis=1)])
        defined = (~np.isnan(kappas)).sum(axis=0)
        return np.where(defined > 0, np.nansum(kappas, axis=0) / np.maximum(defined, 1), nan)

    rated = np.hstack(cells)
    rated = rated[rated.any(axis=1)]
    return _bootstrapped(rated, mean, len(rated), level, resamples, seed)


def _bootstrapped(
    cells: Floats, statistic: Callable[[Floats], Floats], n: int, level: float, resamples: int, seed: int
) -> Estimate:
    """A statistic of summed counts, shape (rows, columns) -> (rows,), with the percentile interval.

    `cells` are the counts of each cluster. The interval is nan where the resamples cannot show one.
    """
    count = len(cells)
    value = float(statistic(cells.sum(axis=0, keepdims=True))[0])
    if np.isnan(value) or count < 2:
        return Estimate(value, nan, nan, n, count)
    cells = cells[np.lexsort(cells.T)]  # so that the same clusters in another order draw the same resamples
    found = np.concatenate([statistic(drawn @ cells) for drawn in resampled_counts(count, resamples, seed)])
    found = found[~np.isnan(found)]
    if not found.size or np.ptp(found) == 0:  # the resamples cannot show how far it may be from one
        return Estimate(value, nan, nan, n, count)
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2])
    return Estimate(value, float(low), float(high), n, count)


def _crossed(one: Sequence[str | None], two: Sequence[str | None], place: dict[str, int]) -> Floats:
    """Which two categories each item got, shape (items, categories^2); a row of zeros where a rating is missing."""
    cells = np.zeros((len(one), len(place) ** 2))
    for item, (a, b) in enumerate(zip(one, two, strict=True)):
        if a is not None and b is not None:
            cells[item, place[a] * len(place) + place[b]] = 1.0
    return cells


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
