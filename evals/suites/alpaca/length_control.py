"""The win rate that a model would have if its answers were as long as the baseline's (arXiv 2404.04475).

The verdicts are explained by three features, z = length * tanh(gap) + difficulty * gamma + own, with the gap between
the lengths of baseline and model in units of its standard deviation and gamma the difficulty of the prompt; the
length-controlled win rate is the mean of logistic(difficulty * gamma + own). There are three ways to fit it:

published   AlpacaEval's own: its difficulties, and the verdicts on its baseline asked to be verbose or concise
            (df_gamed.csv), which say what length alone does. sum |w| + C * weighted log loss, C by cross-validation.
held        without that file, for the same judge: the weight of the length is not fitted but taken as given
            (`HELD_LENGTH`). Fitting it without difficulties goes wrong: short answers and hard prompts cannot be told
            apart, and where nearly all answers are shorter than the baseline's, equal length is far from the data.
fitted      without that file, for any other judge, whose liking for length nobody has published: length and own are
            fitted, as in AlpacaEval's "length_controlled_minimal", but without a penalty worth the name. There
            cross-validation may prefer the strongest, which makes every close race a rate of 50 %.

Errors against the published figures are in `ERROR`. The interval refits in each bootstrap sample of prompts, at the C
of the whole; AlpacaEval's lc_standard_error is none: it is the spread of the predictions, not of the estimate. The
rows of df_gamed.csv are part of the method and not of the experiment, so they are in every sample as they are.
"""

from dataclasses import dataclass, field
from math import nan
from typing import Literal

import numpy as np
import numpy.typing as npt

from srlm.stats.intervals import Estimate, Floats
from srlm.stats.l1_logistic import fit_logistic, logistic

Way = Literal["published", "held", "fitted"]
Places = npt.NDArray[np.intp]

GRID = np.logspace(-4, 4, 10)
FOLDS = 5
GAMED_WEIGHT = 0.1
"""Of each row of df_gamed.csv, where a row of the model counts 1: 0.2, shared by two variants of the baseline."""

HELD_LENGTH = -1.15
"""The weight of the length that gives nine published figures best without difficulties, in steps of 0.05 by squares."""

ERROR: dict[Way, float] = {"published": 0.2, "held": 2.9, "fitted": 22.8}
"""Points by which each way misses the published figures of nine models at most: tests/evals/suites/alpaca/test_length_control.py.

For `held` each model was left out of the choice of the weight. The nine are one judge's, GPT-4 Turbo's.
"""

_FEWEST = 10  # rated rows: two a fold
_SMALL_STEP = 1e-2  # in resamples: what is then missing is about its square, and quantiles are known to two digits
_ALIKE = 1e-6  # rates of resamples that differ by rounding only: the data cannot say how far off they are
_CHUNK = 60_000  # numbers of one feature held at a time: what fits into a processor's cache


@dataclass(frozen=True)
class AlpacaDifficulties:
    """AlpacaEval's df_gamed.csv: the difficulty of each prompt, and the rows that say what length alone does.

    `difficulty` has shape (prompts,). The rows, shape (rows,): tanh of the gap, difficulty, preference in [0, 1].
    """

    difficulty: Floats
    row_tanh: Floats
    row_difficulty: Floats
    row_preference: Floats


@dataclass(frozen=True)
class LengthControlled:
    """A length-controlled win rate, the weights of the three features (0 where one is not used), and how they came.

    `strength` is C of the way `published`, else nan. `resampled` is the rate in each bootstrap sample, shape
    (resamples,), and (0,) of fewer than ten rated rows. The samples depend on the seed and the number of rows alone:
    those of two models with rows of the same prompts, in the same order, are of the same prompts, so that their
    differences are paired.
    """

    estimate: Estimate
    length: float
    difficulty: float
    own: float
    way: Way
    strength: float
    resampled: Floats = field(repr=False, compare=False)


@dataclass(frozen=True)
class _Design:
    """One regression: features (p, n) of the gamed rows and then the model's, of which `rated` are fitted."""

    gaps: Floats
    gamma: Floats
    rated: Places
    y: Floats
    base: Floats
    way: Way
    gamed: AlpacaDifficulties | None

    def features(self, scale: Floats) -> Floats:
        """Shape (scales, p, gamed rows + rated rows), for each standard deviation of the gaps; p = 3, 2 or 1."""
        gap = tanh_gap(self.gaps[self.rated], scale)
        ones = np.ones_like(gap)
        if self.gamed is not None:
            gamed, gamma = self.gamed, np.broadcast_to(self.gamma[self.rated], gap.shape)
            rows = np.stack([gamed.row_tanh, gamed.row_difficulty, np.zeros_like(gamed.row_tanh)])
            rows = np.broadcast_to(rows, (len(scale), *rows.shape))
            return np.concatenate([rows, np.stack([gap, gamma, ones], axis=1)], axis=2)
        return ones[:, None] if self.way == "held" else np.stack([gap, ones], axis=1)

    def offset(self, scale: Floats) -> Floats | None:
        """What is known of z, shape (scales, rated rows)."""
        return HELD_LENGTH * tanh_gap(self.gaps[self.rated], scale) if self.way == "held" else None

    def all_weights(self, w: Floats) -> tuple[Floats, Floats, Floats]:
        """Length, difficulty and own, each of shape (problems,)."""
        none = np.zeros(len(w))
        if self.way == "published":
            return w[:, 0], w[:, 1], w[:, 2]
        return (none + HELD_LENGTH, none, w[:, 0]) if self.way == "held" else (w[:, 0], none, w[:, 1])

    def rates(self, w: Floats, counts: Floats) -> Floats:
        """Length-controlled win rates, shape (problems,); `counts` is how often each row was drawn."""
        _, difficulty, own = self.all_weights(w)
        each = logistic(difficulty[:, None] * self.gamma + own[:, None])
        rates: Floats = np.einsum("mn,mn->m", counts, each) / counts.sum(axis=1)
        return rates


def length_controlled(
    gaps: Floats,
    preferences: Floats,
    gamed: AlpacaDifficulties | None = None,
    places: Places | None = None,
    *,
    way: Way = "fitted",
    strength: float | None = None,
    level: float = 0.95,
    resamples: int = 1_000,
    seed: int = 0,
) -> LengthControlled:
    """Fit one model against one baseline.

    Args:
        gaps: characters of the baseline's output less the model's, shape (n,).
        preferences: for the model, in [0, 1]; nan where a verdict is missing, shape (n,).
        gamed: what the way `published` needs.
        places: of the rows among the benchmark's prompts, shape (n,); their order, if not given, as AlpacaEval does.
        way: see the module.
        strength: C of the way `published`; chosen by cross-validation, if not given.
        level: of the interval.
        resamples: of the prompts, for the interval.
        seed: of the resamples.

    Fewer than ten rated rows give nan throughout, no spread between resamples an interval of nan.

    Raises:
        ValueError: shapes differ, a row has no difficulty, or the way needs a file that is not given.
    """
    if gaps.shape != preferences.shape or (gamed is None) is (way == "published"):
        raise ValueError(f"{gaps.size} gaps, {preferences.size} preferences; gamed rows go with the way 'published'")
    places = np.arange(gaps.size) if places is None else places
    if gamed is not None and places.max(initial=-1) >= gamed.difficulty.size:
        raise ValueError(f"there are difficulties of {gamed.difficulty.size} prompts, and a row of another one")
    gamma = np.zeros(gaps.size) if gamed is None else gamed.difficulty[places]
    rated = np.flatnonzero(~np.isnan(preferences))
    if rated.size < _FEWEST:
        none = Estimate(nan, nan, nan, rated.size, rated.size)
        return LengthControlled(none, nan, nan, nan, way, nan, np.zeros(0))
    before = np.zeros(0) if gamed is None else gamed.row_preference
    base = np.concatenate([np.full(before.size, GAMED_WEIGHT), np.ones(rated.size)])
    design = _Design(gaps, gamma, rated, np.concatenate([before, preferences[rated]]), base, way, gamed)
    if way != "published":
        strength = GRID[-1]  # keeps the weights finite where all verdicts are wins, and is not felt anywhere else
    elif strength is None:
        strength = _cross_validated(design)
    everything = np.ones((1, gaps.size))
    w = _fit(design, everything, strength, None, 1e-8)
    samples = _resampled(design, w, strength, resamples, seed)
    spread = np.ptp(samples) > _ALIKE
    low, high = np.quantile(samples, [(1 - level) / 2, (1 + level) / 2]) if spread else (nan, nan)
    length, difficulty, own = (float(one[0]) for one in design.all_weights(w))
    estimate = Estimate(float(design.rates(w, everything)[0]), float(low), float(high), rated.size, rated.size)
    strength = float(strength) if way == "published" else nan
    return LengthControlled(estimate, length, difficulty, own, way, strength, samples)


def tanh_gap(gaps: Floats, scale: Floats) -> Floats:
    """The length feature, shape (scales, n); 0 where no gap differs from another."""
    return np.tanh(gaps / np.where(scale > 0, scale, np.inf)[:, None])


def _scale(gaps: Floats, counts: Floats) -> Floats:
    """Standard deviations (ddof 1) of the gaps, shape (samples,), when rows are drawn so often as `counts` says."""
    n = counts.sum(axis=1)
    mean = counts @ gaps / n
    scale: Floats = np.sqrt(np.einsum("mn,mn->m", counts, (gaps - mean[:, None]) ** 2) / (n - 1))
    return scale


def _fit(design: _Design, counts: Floats, strength: float, start: Floats | None, small_step: float) -> Floats:
    scale = _scale(design.gaps, counts)
    weights = np.tile(strength * design.base, (len(counts), 1))
    weights[:, -design.rated.size :] *= counts[:, design.rated]
    return fit_logistic(design.features(scale), design.y, weights, start, design.offset(scale), small_step)


def _cross_validated(design: _Design) -> float:
    """The C of the grid with the smallest weighted log loss on rows left out, the mean of five folds.

    Fold k holds each fifth row from the end, which is how scikit-learn's GroupKFold deals groups of one size.
    """
    x = design.features(_scale(design.gaps, np.ones((1, design.gaps.size))))
    left_out = np.arange(design.y.size)[::-1] % FOLDS == np.arange(FOLDS)[:, None]
    losses = np.empty(GRID.size)
    w: Floats | None = None
    for place, strength in enumerate(GRID):  # from the strongest penalty on: each fit begins where the last one ended
        w = fit_logistic(x, design.y, strength * design.base * ~left_out, w)
        p = np.clip(logistic(w @ x[0]), 1e-15, 1 - 1e-15)
        loss = -design.base * (design.y * np.log(p) + (1 - design.y) * np.log1p(-p))
        losses[place] = np.mean([loss[fold, rows].mean() for fold, rows in enumerate(left_out)])
    return float(GRID[losses.argmin()])


def _resampled(design: _Design, w: Floats, strength: float, resamples: int, seed: int) -> Floats:
    """The estimate in each bootstrap sample of the model's rows."""
    rng, n = np.random.default_rng(seed), design.gaps.size
    step = max(1, _CHUNK // design.y.size)
    found = []
    for start in range(0, resamples, step):
        size = min(step, resamples - start)
        drawn = rng.integers(0, n, (size, n)) + n * np.arange(size)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=size * n).reshape(size, n).astype(float)
        fitted = _fit(design, counts, strength, np.repeat(w, size, axis=0), _SMALL_STEP)
        found.append(design.rates(fitted, counts))
    return np.concatenate(found) if found else np.zeros(1)
