"""Strengths of several models from games between two of them, on the scale of Elo.

Each model has a strength s, and model i beats model j with probability 1 / (1 + exp(s_j - s_i)): Bradley and Terry
(1952). Elo = 400 / ln 10 * s, counted from an anchor that stands at 0; 100 points are odds of 1.78 to 1. Ties are

    half       half a game won by each, so that any share of a win may be a result
    davidson   an outcome of its own with weight nu * exp((s_i + s_j) / 2) beside exp(s_i) and exp(s_j): Davidson (1970)

Both likelihoods are concave in the strengths and in log nu, and are maximised by Newton's method with halved steps.
Intervals: percentile bootstrap over prompts. The games of all pairs of models on one prompt share its difficulty and
the models' answers, so a resample has all games of a prompt or none; the same prompts are drawn for all pairs.

A maximum exists only among models that can be reached from one another by chains of wins (Ford 1957). A model that won
against that group and never lost to it is infinitely strong: its Elo is inf, that of one which only lost -inf, and nan
where no chain of games decides. Davidson's model also needs a circle of games with more wins than ties along it, else
every tie would rather have nu infinite: then all are nan. Left out: a home advantage, here the position, because games
are judged in both orders.
"""

from dataclasses import dataclass
from itertools import combinations
from math import inf, log, nan
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.special import xlogy

from srlm.stats.intervals import Estimate, Floats, checked, cluster_codes, resampled_counts

Bools = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.intp]
Ties = Literal["half", "davidson"]

ELO = 400 / log(10)
"""Points of a unit of strength, which is a factor of e in the odds."""

_ITERATIONS = 100
_HALVINGS = 30
_SMALL = 1e-7
"""The last step: what is then missing is about its square."""


@dataclass(frozen=True)
class Ranking:
    """Elo of each model, in the order in which they are numbered; the anchor has 0 and no interval.

    `n` counts a model's games, `clusters` the prompts of all. `nu` is Davidson's weight of ties: 0 where there was
    none, nan where ties count as halves.
    """

    elo: tuple[Estimate, ...]
    nu: float


def bradley_terry(
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    scores: npt.ArrayLike,
    prompts: npt.ArrayLike | None = None,
    *,
    models: int,
    anchor: int = 0,
    ties: Ties = "half",
    level: float = 0.95,
    resamples: int = 1_000,
    seed: int = 0,
) -> Ranking:
    """The ranking of `models` models, numbered from 0, from games (shape n each).

    Args:
        first: the one model of each game.
        second: the other one.
        scores: of the first model: 1 won, 0 lost, one half a tie; with ties as halves anything between.
        prompts: a label of what the game was on; without labels each game is on a prompt of its own.
        models: how many there are.
        anchor: the one whose Elo is 0.
        ties: what a tie is.
        level: of the intervals.
        resamples: of the prompts.
        seed: of the resamples.

    An end of an interval is infinite when so many resamples have the model only winning or only losing, and the
    interval is nan when the strength itself is infinite or undecided, or when no prompt differs from another. Raises
    ValueError for shapes that differ, numbers that are no model's, a model that plays itself, and scores that are none.
    """
    one, two, score = np.asarray(first, dtype=np.intp), np.asarray(second, dtype=np.intp), checked(scores)
    if not one.shape == two.shape == score.shape:
        raise ValueError("each game needs two models and a score")
    both = np.concatenate([one, two])
    if not 0 <= anchor < models or (both < 0).any() or (both >= models).any() or (one == two).any():
        raise ValueError(f"a game is between two different models of those numbered 0 to {models - 1}")
    if (score < 0).any() or (score > 1).any() or (ties == "davidson" and not np.isin(score, (0, 0.5, 1)).all()):
        raise ValueError("a score is 1, 0 or one half; with ties as halves, anything between 0 and 1")
    codes = cluster_codes(prompts, score.shape)
    pairs = np.array(list(combinations(range(models), 2)), dtype=np.intp).reshape(-1, 2)
    table = _table(one, two, score, codes, models, ties)
    count = len(table)
    strengths, log_nu = _strengths(table.sum(axis=0, keepdims=True), pairs, models, anchor)
    nu = float(np.exp(log_nu[0])) if ties == "davidson" else nan
    ends = np.full((2, models), nan)
    if count > 1:
        known = np.isfinite(strengths[0]) & (np.arange(models) != anchor)
        start = np.append(strengths[0], log_nu[0])
        drawn = np.concatenate([drawn @ table for drawn in resampled_counts(count, resamples, seed)])
        found, _ = _strengths(drawn, pairs, models, anchor, np.where(np.isfinite(start), start, 0.0))
        ends[:, known] = _ends(found[:, known], level)
    games = np.bincount(both, minlength=models)
    rows = zip(ELO * strengths[0], ELO * ends[0], ELO * ends[1], games, strict=True)
    elo = [Estimate(float(value), float(low), float(high), int(n), count) for value, low, high, n in rows]
    return Ranking(tuple(elo), nu)


def _table(one: Codes, two: Codes, score: Floats, codes: Codes, models: int, ties: Ties) -> Floats:
    """Wins of the lower number, ties and losses of each pair on each prompt: shape (prompts, 3 * pairs)."""
    swap = one > two
    low, high, won = np.minimum(one, two), np.maximum(one, two), np.where(swap, 1 - score, score)
    number = np.zeros((models, models), dtype=np.intp)
    number[np.triu_indices(models, 1)] = np.arange(models * (models - 1) // 2)
    tied = (won == 0.5) & (ties == "davidson")
    outcomes = np.stack([np.where(tied, 0, won), tied, np.where(tied, 0, 1 - won)])
    table = np.zeros((int(codes.max()) + 1 if codes.size else 0, 3, models * (models - 1) // 2))
    for outcome, amounts in enumerate(outcomes):
        np.add.at(table[:, outcome], (codes, number[low, high]), amounts)
    flat = table.reshape(len(table), 3 * table.shape[2])
    return flat[np.lexsort(flat.T)] if flat.size else flat  # the order of the prompts does not matter


def _ends(found: Floats, level: float) -> Floats:
    """The lower and upper ends of the intervals, shape (2, models), from strengths in resamples (resamples, models)."""
    tail, undecided = (1 - level) / 2, np.isnan(found)
    # A resample that does not place the model could have had it anywhere: it counts in both tails.
    low = np.quantile(np.where(undecided, -inf, found), tail, axis=0, method="inverted_cdf")
    high = np.quantile(np.where(undecided, inf, found), 1 - tail, axis=0, method="inverted_cdf")
    # Where all resamples agree, as when every game was a tie, they cannot show how far off the strength may be.
    return np.where(high - low > _SMALL, np.stack([low, high]), nan)


def _strengths(
    tables: Floats, pairs: Codes, models: int, anchor: int, start: Floats | None = None
) -> tuple[Floats, Floats]:
    """Strengths (problems, models) and log nu (problems,) of several tables (problems, 3 * pairs) at once.

    `start` are strengths and log nu to begin with, shape (models + 1,).
    """
    wins, ties, losses = np.moveaxis(tables.reshape(len(tables), 3, len(pairs)), 1, 0)
    above, below = _chains(wins, ties, losses, pairs, models, anchor)
    group = above & below
    inside = group[:, pairs[:, 0]] & group[:, pairs[:, 1]]
    counts = np.stack([wins, ties, losses], axis=1) * inside[:, None]
    bounded = _bounded(counts, pairs, models)
    fitted, log_nu = _fit(np.where(bounded[:, None, None], counts, 0.0), pairs, group & bounded[:, None], anchor, start)
    fitted = np.where(bounded[:, None] | (np.arange(models) == anchor), fitted, nan)
    # Who beat the group and was not beaten by it is above all of it; the other way round below; else nobody knows.
    outside = np.where(above, inf, np.where(below, -inf, nan))
    return np.where(group, fitted, outside), np.where(bounded, log_nu, nan)


def _chains(wins: Floats, ties: Floats, losses: Floats, pairs: Codes, models: int, anchor: int) -> tuple[Bools, Bools]:
    """Whether a chain of games that were not lost leads from each model to the anchor, and from the anchor to it."""
    beats = np.broadcast_to(np.eye(models, dtype=np.float32), (len(wins), models, models)).copy()
    beats[:, pairs[:, 0], pairs[:, 1]] = wins + ties > 0
    beats[:, pairs[:, 1], pairs[:, 0]] = losses + ties > 0
    for _ in range(max(1, (models - 1).bit_length())):  # each product doubles the length of the chains
        beats = np.minimum(beats @ beats, 1)
    return beats[:, :, anchor] > 0, beats[:, anchor] > 0


def _bounded(counts: Floats, pairs: Codes, models: int) -> Bools:
    """Whether log nu has an upper bound: a circle of games exists that has more wins than ties, or no tie at all.

    Else there are strengths at which all who won are ahead by 1 or more and all who tied apart by 1 or less; stretched
    without end, with log nu half as fast, they make everything that was seen more and more likely.
    """
    wins, ties, losses = np.moveaxis(counts, 1, 0)
    longest = np.full((len(counts), models, models), -inf)
    for i, j, won in ((0, 1, wins), (1, 0, losses)):
        longest[:, pairs[:, i], pairs[:, j]] = np.where(won > 0, 1.0, np.where(ties > 0, -1.0, -inf))
    for middle in range(models):  # Floyd and Warshall's, for the longest paths; a circle ends on the diagonal
        through = longest[:, :, middle, None] + longest[:, None, middle]
        longest = np.minimum(np.maximum(longest, through), models)
    circle = (np.diagonal(longest, axis1=1, axis2=2) > 0).any(axis=1)
    found: Bools = circle | (ties.sum(axis=1) == 0)
    return found


def _fit(counts: Floats, pairs: Codes, group: Bools, anchor: int, start: Floats | None) -> tuple[Floats, Floats]:
    """Newton's method for all problems: `counts` (problems, 3, pairs) of wins, ties and losses.

    The last parameter is log nu. What a problem leaves undecided (the anchor, models outside of its group, log nu
    without ties) is held where it is.
    """
    models = group.shape[1]
    sides = np.zeros((len(pairs), models))
    sides[np.arange(len(pairs)), pairs[:, 0]], sides[np.arange(len(pairs)), pairs[:, 1]] = 0.5, -0.5
    tied = counts[:, 1].sum(axis=1) > 0
    free = np.column_stack([group, tied])
    free[:, anchor] = False
    w = np.tile(np.zeros(models + 1) if start is None else start, (len(counts), 1))
    value = _likelihood(w, counts, sides, tied)
    left = np.arange(len(counts))
    for _ in range(_ITERATIONS):
        if not left.size:
            break
        step = _newton_step(w[left], counts[left], sides, free[left], tied[left])
        slack = 1e-12 * (1 + np.abs(value[left]))
        for _ in range(_HALVINGS):
            reached = _likelihood(w[left] + step, counts[left], sides, tied[left])
            if not (worse := reached < value[left] - slack).any():
                break
            step[worse] /= 2
        w[left] += step
        value[left] = reached
        left = left[np.abs(step).max(axis=1) > _SMALL]
    return w[:, :models], np.where(tied, w[:, models], -inf)


def _shares(w: Floats, sides: Floats, tied: Bools) -> Floats:
    """Probabilities of win, tie and loss in each pair: shape (problems, 3, pairs)."""
    half = w[:, :-1] @ sides.T
    tie = np.where(tied, w[:, -1], -inf)[:, None]
    logits = np.stack([half, np.broadcast_to(tie, half.shape), -half], axis=1)
    logits -= np.maximum(np.abs(half), tie)[:, None]
    weights = np.exp(logits)
    shares: Floats = weights / weights.sum(axis=1, keepdims=True)
    return shares


def _likelihood(w: Floats, counts: Floats, sides: Floats, tied: Bools) -> Floats:
    likelihood: Floats = xlogy(counts, _shares(w, sides, tied)).sum(axis=(1, 2))
    return likelihood


def _newton_step(w: Floats, counts: Floats, sides: Floats, free: Bools, tied: Bools) -> Floats:
    win, tie, loss = np.moveaxis(_shares(w, sides, tied), 1, 0)
    games = counts.sum(axis=1)
    # With x = +1, 0, -1 for win, tie, loss: what was scored beyond the expectation, and the variances of x and of ties.
    lead, spread = win - loss, win + loss - (win - loss) ** 2
    models = sides.shape[1]
    gradient = np.empty((len(w), models + 1))
    gradient[:, :models] = (counts[:, 0] - counts[:, 2] - games * lead) @ sides
    gradient[:, models] = (counts[:, 1] - games * tie).sum(axis=1)
    curvature = np.empty((len(w), models + 1, models + 1))
    squares = (sides[:, :, None] * sides[:, None]).reshape(len(sides), models * models)
    curvature[:, :models, :models] = ((games * spread) @ squares).reshape(-1, models, models)
    curvature[:, :models, models] = curvature[:, models, :models] = -(games * lead * tie) @ sides
    curvature[:, models, models] = (games * tie * (1 - tie)).sum(axis=1)
    both = free[:, :, None] & free[:, None]
    curvature = np.where(both, curvature, 0.0) + np.eye(models + 1) * ~free[:, None]
    step: Floats = np.linalg.solve(curvature, np.where(free, gradient, 0.0)[..., None])[..., 0]
    return step
