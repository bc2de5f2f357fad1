"""Length-controlled win rate: the rate if a model's answers were as long as the baseline's (arXiv 2404.04475).

A logistic regression explains the verdicts by three features, z = length * tanh(gap) + difficulty * gamma + own, with
the gap between the lengths of baseline and model in units of its standard deviation and gamma the difficulty of the
prompt; the length-controlled win rate is the mean of logistic(difficulty * gamma + own). It is fitted in three ways:

published   AlpacaEval's own: with its difficulties, and the verdicts on its baseline asked to be verbose or concise
            (df_gamed.csv), which show the effect of length alone. Minimises sum |w| + C * weighted log loss, with C by
            cross-validation.
held        without that file, for the same judge: the weight of the length is not fitted but fixed (`HELD_LENGTH`).
            Fitting it without difficulties confounds short answers with hard prompts, and where nearly all answers are
            shorter than the baseline's, equal length is far from the data.
fitted      without that file, for any other judge, whose length bias is not published: length and own are fitted, as in
            AlpacaEval's "length_controlled_minimal", but with a negligible penalty. There cross-validation may prefer
            the strongest penalty, which turns every close race into a rate of 50 %.

Errors against the published values are in `ERROR`. The interval refits in each bootstrap sample of prompts, at the C of
the whole sample; AlpacaEval's lc_standard_error is no such error: it is the spread of the predictions, not of the
estimate. The rows of df_gamed.csv are part of the method and not of the experiment, so they are in every sample.
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
DIFFICULTY_WEIGHT = 0.1
"""Weight of each row of df_gamed.csv, where a row of the model has 1: 0.2, shared by two variants of the baseline."""

HELD_LENGTH = -1.15
"""The weight of the length that fits nine published values best without difficulties: least squares, steps of 0.05."""

ERROR: dict[Way, float] = {"published": 0.2, "held": 2.9, "fitted": 22.8}
"""Largest error of each way against the published values of nine models, in points.

Tested in tests/evals/suites/alpaca/test_file_summary.py. For `held`, each model was left out of the choice of the
weight. All nine are judged by GPT-4 Turbo.
"""

_MIN_ROWS = 10  # rated rows: two per fold
_SMALL_STEP = 1e-2  # in resamples: what is then missing is about its square, and quantiles are known to two digits
_ALIKE = 1e-6  # rates of resamples that differ by rounding only: the data cannot say how far off they are
_CHUNK = 60_000  # numbers of one feature held at a time: what fits into a processor's cache


@dataclass(frozen=True)
class AlpacaDifficulties:
    """AlpacaEval's df_gamed.csv: the difficulty of each prompt, and rows that show the effect of length alone.

    `difficulty` has shape (prompts,). The rows, shape (rows,): tanh of the gap, difficulty, preference in [0, 1].
    """

    difficulty: Floats
    row_tanh: Floats
    row_difficulty: Floats
    row_preference: Floats


@dataclass(frozen=True)
class LengthControlled:
    """A length-controlled win rate, weights of its three features (0 where one is not used), and the way of the fit.

    `strength` is C of the way `published`, else nan. `resampled` is the rate in each bootstrap sample, shape
    (resamples,), and (0,) for fewer than ten rated rows. The samples depend on the seed and the number of rows alone:
    two models with rows of the same prompts, in the same order, get samples of the same prompts, so that their
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
    """One regression: features (p, n) of the difficulty rows and then the model's, of which `rated` are fitted."""

    gaps: Floats
    gamma: Floats
    rated: Places
    y: Floats
    base: Floats
    way: Way
    difficulties: AlpacaDifficulties | None

    def features(self, scale: Floats) -> Floats:
        """Return the features for each standard deviation of the gaps: (scales, p, all rows), with p = 3, 2 or 1."""
        gap = tanh_gap(self.gaps[self.rated], scale)
        ones = np.ones_like(gap)
        if self.difficulties is not None:
            known, gamma = self.difficulties, np.broadcast_to(self.gamma[self.rated], gap.shape)
            rows = np.stack([known.row_tanh, known.row_difficulty, np.zeros_like(known.row_tanh)])
            rows = np.broadcast_to(rows, (len(scale), *rows.shape))
            return np.concatenate([rows, np.stack([gap, gamma, ones], axis=1)], axis=2)
        return ones[:, None] if self.way == "held" else np.stack([gap, ones], axis=1)

    def offset(self, scale: Floats) -> Floats | None:
        """Return the fixed part of z, shape (scales, rated rows)."""
        return HELD_LENGTH * tanh_gap(self.gaps[self.rated], scale) if self.way == "held" else None

    def all_weights(self, w: Floats) -> tuple[Floats, Floats, Floats]:
        """Return length, difficulty and own, each of shape (problems,)."""
        none = np.zeros(len(w))
        if self.way == "published":
            return w[:, 0], w[:, 1], w[:, 2]
        return (none + HELD_LENGTH, none, w[:, 0]) if self.way == "held" else (w[:, 0], none, w[:, 1])

    def rates(self, w: Floats, counts: Floats) -> Floats:
        """Return length-controlled win rates, shape (problems,); `counts` has how often each row was drawn."""
        _, difficulty, own = self.all_weights(w)
        each = logistic(difficulty[:, None] * self.gamma + own[:, None])
        rates: Floats = np.einsum("mn,mn->m", counts, each) / counts.sum(axis=1)
        return rates


def length_controlled(
    gaps: Floats,
    preferences: Floats,
    difficulties: AlpacaDifficulties | None = None,
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
        difficulties: for the way `published`.
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
    if gaps.shape != preferences.shape or (difficulties is None) is (way == "published"):
        raise ValueError(f"{gaps.size} gaps, {preferences.size} preferences; difficulties go with the way 'published'")
    places = np.arange(gaps.size) if places is None else places
    if difficulties is not None and places.max(initial=-1) >= difficulties.difficulty.size:
        raise ValueError(f"there are difficulties of {difficulties.difficulty.size} prompts, and a row of another one")
    gamma = np.zeros(gaps.size) if difficulties is None else difficulties.difficulty[places]
    rated = np.flatnonzero(~np.isnan(preferences))
    if rated.size < _MIN_ROWS:
        none = Estimate(nan, nan, nan, rated.size, rated.size)
        return LengthControlled(none, nan, nan, nan, way, nan, np.zeros(0))
    before = np.zeros(0) if difficulties is None else difficulties.row_preference
    base = np.concatenate([np.full(before.size, DIFFICULTY_WEIGHT), np.ones(rated.size)])
    design = _Design(gaps, gamma, rated, np.concatenate([before, preferences[rated]]), base, way, difficulties)
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
    """Return the length feature, shape (scales, n); 0 where no gap differs from another."""
    return np.tanh(gaps / np.where(scale > 0, scale, np.inf)[:, None])


def _scale(gaps: Floats, counts: Floats) -> Floats:
    """Return standard deviations (ddof 1) of the gaps, shape (samples,), with each row drawn `counts` times."""
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
    """Return the C of the grid with the smallest weighted log loss on left-out rows, the mean of five folds.

    Fold k has each fifth row from the end, as scikit-learn's GroupKFold deals groups of one size.
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
    """Return the estimate in each bootstrap sample of the model's rows."""
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
