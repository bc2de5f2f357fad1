"""Inter-annotator agreement beyond chance: Cohen's kappa.

    kappa = 1 - (observed disagreement) / (disagreement of two independent raters with the same marginals)

For categories without an order (Cohen, 1960). For more than two raters: the mean over all pairs of them (Light, 1971).
Left out: weighted kappa, Fleiss' kappa and Krippendorff's alpha.
"""

from collections.abc import Callable, Sequence
from itertools import combinations
from math import nan

import numpy as np
import numpy.typing as npt

from srlm.stats.intervals import Estimate, Floats, cluster_codes, resampled_counts


def cohen_kappa(
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    clusters: npt.ArrayLike | None = None,
    level: float = 0.95,
    resamples: int = 2_000,
    seed: int = 0,
) -> Estimate:
    """Compute Cohen's kappa of the ratings `a` and `b` of the same items (shape n each).

    1 is perfect agreement, 0 that of chance, below 0 less than chance. Ratings are names or numbers. The interval is
    the percentile bootstrap over `clusters`, of the resamples in which kappa is defined. If both raters use a single
    category, kappa is not defined: nan throughout. One cluster, or perfect agreement, gives an interval of nan.

    Raises:
        ValueError: shapes differ, or a rating is not finite.
    """
    one, two = np.asarray(a), np.asarray(b)
    if one.ndim != 1 or one.shape != two.shape:
        raise ValueError(f"two ratings of the same items are needed, not {one.shape} and {two.shape}")
    if not one.size:
        return Estimate(nan, nan, nan, 0, 0)
    if not all(np.isfinite(ratings).all() for ratings in (one, two) if ratings.dtype.kind == "f"):
        raise ValueError("ratings must be finite; leave out those that could not be read")
    categories, coded = np.unique(np.concatenate([one, two]), return_inverse=True)
    distance = 1 - np.eye(len(categories))
    codes = cluster_codes(clusters, one.shape)
    size, count = len(categories), int(codes.max()) + 1
    cells = np.zeros((count, size * size))
    np.add.at(cells, (codes, coded[: one.size] * size + coded[one.size :]), 1.0)
    return _bootstrapped(cells, lambda sums: _kappa(sums, distance), one.size, level, resamples, seed)


def mean_kappa(
    raters: Sequence[Sequence[str | None]], level: float = 0.95, resamples: int = 2_000, seed: int = 0
) -> Estimate:
    """Compute the mean of Cohen's kappa over all pairs of raters of the same items, with the bootstrap over the items.

    Each rater has a category for each item (shape n), or None without a rating. A pair of raters is compared on the
    items that both rated, and left out if its kappa is not defined. For two raters this is `cohen_kappa`. `n` counts
    the items with at least two ratings.

    Raises:
        ValueError: raters have different numbers of items.
    """
    if len({len(ratings) for ratings in raters}) > 1:
        raise ValueError("ratings of the same items are needed")
    categories = sorted({rating for ratings in raters for rating in ratings if rating is not None})
    place, size = {name: i for i, name in enumerate(categories)}, len(categories)
    cells = [_crossed(one, two, place) for one, two in combinations(raters, 2)]
    if not cells or not size:
        return Estimate(nan, nan, nan, 0, 0)
    distance = 1 - np.eye(size)

    def mean(sums: Floats) -> Floats:
        """Return for each row of counts the mean over the pairs with a kappa; nan without one."""
        kappas = np.stack([_kappa(part, distance) for part in np.split(sums, len(cells), axis=1)])
        defined = (~np.isnan(kappas)).sum(axis=0)
        return np.where(defined > 0, np.nansum(kappas, axis=0) / np.maximum(defined, 1), nan)

    rated = np.hstack(cells)
    rated = rated[rated.any(axis=1)]
    return _bootstrapped(rated, mean, len(rated), level, resamples, seed)


def _bootstrapped(
    cells: Floats, statistic: Callable[[Floats], Floats], n: int, level: float, resamples: int, seed: int
) -> Estimate:
    """Compute a statistic of summed counts, shape (rows, columns) -> (rows,), with the percentile interval.

    `cells` are the counts of each cluster. The interval is nan if all resamples agree.
    """
    count = len(cells)
    value = float(statistic(cells.sum(axis=0, keepdims=True))[0])
    if np.isnan(value) or count < 2:
        return Estimate(value, nan, nan, n, count)
    cells = cells[np.lexsort(cells.T)]  # so that the same clusters in another order draw the same resamples
    found = np.concatenate([statistic(drawn @ cells) for drawn in resampled_counts(count, resamples, seed)])
    found = found[~np.isnan(found)]
    if not found.size or np.ptp(found) == 0:  # they cannot show how far it may be from 1
        return Estimate(value, nan, nan, n, count)
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2])
    return Estimate(value, float(low), float(high), n, count)


def _crossed(one: Sequence[str | None], two: Sequence[str | None], place: dict[str, int]) -> Floats:
    """One-hot encode the two categories of each item, shape (items, categories^2); zeros if a rating is missing."""
    cells = np.zeros((len(one), len(place) ** 2))
    for item, (a, b) in enumerate(zip(one, two, strict=True)):
        if a is not None and b is not None:
            cells[item, place[a] * len(place) + place[b]] = 1.0
    return cells


def _kappa(cells: Floats, distance: Floats) -> Floats:
    """Compute kappa of each row of counts, shape (rows, categories^2); nan if chance alone gives full agreement."""
    counts = cells.reshape(-1, *distance.shape)
    observed = np.einsum("rij,ij->r", counts, distance)
    total = counts.sum(axis=(1, 2))
    expected = np.einsum("ri,ij,rj->r", counts.sum(axis=2), distance, counts.sum(axis=1)) / np.maximum(total, 1)
    defined = expected > 0
    return np.where(defined, 1 - observed / np.where(defined, expected, 1.0), nan)
