"""Bradley-Terry strengths of several models from pairwise games, on the Elo scale.

Each model has a strength s, and model i beats model j with probability 1 / (1 + exp(s_j - s_i)) (Bradley and Terry,
1952). Elo = 400 / ln 10 * s, relative to an anchor at 0; 100 points are odds of 1.78 to 1. A tie is half a win for each
model, so any share of a win may be a result. The likelihood is concave and is maximised by Newton's method with step
halving. Intervals: percentile bootstrap over prompts. The games of all pairs of models on one prompt share its
difficulty and the models' answers, so a resample has all games of a prompt or none; the same prompts are drawn for all
pairs.

A maximum exists only among models that can be reached from one another by chains of wins (Ford, 1957). A model that won
against that group and never lost to it is infinitely strong: its Elo is inf, that of one which only lost -inf, and nan
where no chain of games decides. Left out: ties as an outcome of their own (Davidson, 1970), and a home advantage, here
the position, because games are judged in both orders.
"""

from itertools import combinations
from math import inf, log

import numpy as np
import numpy.typing as npt

from srlm.stats.intervals import Estimate, Floats, checked, cluster_codes, resampled_counts

Bools = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.intp]

ELO = 400 / log(10)
"""Elo points per unit of strength (a factor of e in the odds)."""

_ITERATIONS = 100
_HALVINGS = 30
_TOLERANCE = 1e-7
"""Size of the last Newton step; the error is about its square."""


def bradley_terry(
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    scores: npt.ArrayLike,
    prompts: npt.ArrayLike | None = None,
    *,
    models: int,
    anchor: int = 0,
    level: float = 0.95,
    resamples: int = 1_000,
    seed: int = 0,
) -> tuple[Estimate, ...]:
    """Estimate the Elo of `models` models, numbered from 0, from games (shape n each).

    Args:
        first: one model of each game.
        second: the other model.
        scores: of the first model, from 0 (lost) to 1 (won); one half is a tie.
        prompts: a label of the game's prompt; without labels each game has a prompt of its own.
        models: number of models.
        anchor: the model whose Elo is 0.
        level: of the intervals.
        resamples: of the prompts.
        seed: of the resamples.

    Returns:
        The Elo of each model, in the order of their numbers; the anchor has 0 and no interval. `n` counts a model's
        games, `clusters` all prompts. An end of an interval is infinite if the model only wins or only loses in that
        many resamples. The interval is nan if the strength itself is infinite or undecided, or if all prompts agree.

    Raises:
        ValueError: shapes differ, a number is no model's, a model plays itself, or a score is outside 0 to 1.
    """
    one, two, score = np.asarray(first, dtype=np.intp), np.asarray(second, dtype=np.intp), checked(scores)
    if not one.shape == two.shape == score.shape:
        raise ValueError("each game needs two models and a score")
    both = np.concatenate([one, two])
    if not 0 <= anchor < models or (both < 0).any() or (both >= models).any() or (one == two).any():
        raise ValueError(f"a game is between two different models of those numbered 0 to {models - 1}")
    if (score < 0).any() or (score > 1).any():
        raise ValueError("a score is between 0 and 1")
    codes = cluster_codes(prompts, score.shape)
    pairs = np.array(list(combinations(range(models), 2)), dtype=np.intp).reshape(-1, 2)
    table = _table(one, two, score, codes, models)
    count = len(table)
    strengths = _strengths(table.sum(axis=0, keepdims=True), pairs, models, anchor)
    ends = np.full((2, models), np.nan)
    if count > 1:
        known = np.isfinite(strengths[0]) & (np.arange(models) != anchor)
        start = np.where(np.isfinite(strengths[0]), strengths[0], 0.0)
        resampled = np.concatenate([drawn @ table for drawn in resampled_counts(count, resamples, seed)])
        ends[:, known] = _ends(_strengths(resampled, pairs, models, anchor, start)[:, known], level)
    games = np.bincount(both, minlength=models)
    rows = zip(ELO * strengths[0], ELO * ends[0], ELO * ends[1], games, strict=True)
    return tuple(Estimate(float(value), float(low), float(high), int(n), count) for value, low, high, n in rows)


def _table(one: Codes, two: Codes, score: Floats, codes: Codes, models: int) -> Floats:
    """Sum wins and losses of the lower-numbered model of each pair on each prompt: shape (prompts, 2 * pairs)."""
    low, high, won = np.minimum(one, two), np.maximum(one, two), np.where(one > two, 1 - score, score)
    number = np.zeros((models, models), dtype=np.intp)
    number[np.triu_indices(models, 1)] = np.arange(models * (models - 1) // 2)
    table = np.zeros((int(codes.max()) + 1 if codes.size else 0, 2, models * (models - 1) // 2))
    for outcome, amounts in enumerate((won, 1 - won)):
        np.add.at(table[:, outcome], (codes, number[low, high]), amounts)
    flat = table.reshape(len(table), 2 * table.shape[2])
    return flat[np.lexsort(flat.T)] if flat.size else flat  # the order of the prompts does not matter


def _ends(found: Floats, level: float) -> Floats:
    """Compute lower and upper interval ends, shape (2, models), from strengths in resamples (resamples, models)."""
    tail, undecided = (1 - level) / 2, np.isnan(found)
    # A resample that does not place the model could have had it anywhere: it counts in both tails.
    low = np.quantile(np.where(undecided, -inf, found), tail, axis=0, method="inverted_cdf")
    high = np.quantile(np.where(undecided, inf, found), 1 - tail, axis=0, method="inverted_cdf")
    # Where all resamples agree, as when every game was a tie, they cannot show how far off the strength may be.
    return np.where(high - low > _TOLERANCE, np.stack([low, high]), np.nan)


def _strengths(tables: Floats, pairs: Codes, models: int, anchor: int, start: Floats | None = None) -> Floats:
    """Estimate the strengths (problems, models) of several tables (problems, 2 * pairs) at once.

    `start` are the strengths to begin with, shape (models,).
    """
    wins, losses = np.moveaxis(tables.reshape(len(tables), 2, len(pairs)), 1, 0)
    above, below = _chains(wins, losses, pairs, models, anchor)
    group = above & below
    inside = group[:, pairs[:, 0]] & group[:, pairs[:, 1]]
    fitted = _fit(np.stack([wins, losses], axis=1) * inside[:, None], pairs, group, anchor, start)
    # A model that beat the group and was not beaten by it is above it; the opposite is below; else it is undecided.
    outside = np.where(above, inf, np.where(below, -inf, np.nan))
    return np.where(group, fitted, outside)


def _chains(wins: Floats, losses: Floats, pairs: Codes, models: int, anchor: int) -> tuple[Bools, Bools]:
    """Find for each model if a chain of games not lost leads from it to the anchor, and from the anchor to it."""
    beats = np.broadcast_to(np.eye(models, dtype=np.float32), (len(wins), models, models)).copy()
    beats[:, pairs[:, 0], pairs[:, 1]] = wins > 0
    beats[:, pairs[:, 1], pairs[:, 0]] = losses > 0
    for _ in range(max(1, (models - 1).bit_length())):  # each product doubles the length of the chains
        beats = np.minimum(beats @ beats, 1)
    return beats[:, :, anchor] > 0, beats[:, anchor] > 0


def _fit(counts: Floats, pairs: Codes, group: Bools, anchor: int, start: Floats | None) -> Floats:
    """Run Newton's method on all problems: `counts` (problems, 2, pairs) of wins and losses.

    Parameters that a problem leaves undecided (the anchor, models outside its group) stay where they are.
    """
    models = group.shape[1]
    sides = np.zeros((len(pairs), models))
    sides[np.arange(len(pairs)), pairs[:, 0]], sides[np.arange(len(pairs)), pairs[:, 1]] = 0.5, -0.5
    free = group.copy()
    free[:, anchor] = False
    w = np.tile(np.zeros(models) if start is None else start, (len(counts), 1))
    value = _likelihood(w, counts, sides)
    left = np.arange(len(counts))
    for _ in range(_ITERATIONS):
        if not left.size:
            break
        step = _newton_step(w[left], counts[left], sides, free[left])
        slack = 1e-12 * (1 + np.abs(value[left]))
        for _ in range(_HALVINGS):
            reached = _likelihood(w[left] + step, counts[left], sides)
            if not (worse := reached < value[left] - slack).any():
                break
            step[worse] /= 2
        w[left] += step
        value[left] = reached
        left = left[np.abs(step).max(axis=1) > _TOLERANCE]
    return w


def _shares(w: Floats, sides: Floats) -> Floats:
    """Compute the probabilities of a win and a loss in each pair: shape (problems, 2, pairs)."""
    half = w @ sides.T
    logits = np.stack([half, -half], axis=1)
    logits -= np.abs(half)[:, None]
    weights = np.exp(logits)
    shares: Floats = weights / weights.sum(axis=1, keepdims=True)
    return shares


def _likelihood(w: Floats, counts: Floats, sides: Floats) -> Floats:
    from scipy.special import xlogy

    likelihood: Floats = xlogy(counts, _shares(w, sides)).sum(axis=(1, 2))
    return likelihood


def _newton_step(w: Floats, counts: Floats, sides: Floats, free: Bools) -> Floats:
    win, loss = np.moveaxis(_shares(w, sides), 1, 0)
    games = counts.sum(axis=1)
    # With x = +1 for a win and -1 for a loss: the score beyond its expectation, and the variance of x.
    lead, spread = win - loss, win + loss - (win - loss) ** 2
    models = sides.shape[1]
    gradient = (counts[:, 0] - counts[:, 1] - games * lead) @ sides
    squares = (sides[:, :, None] * sides[:, None]).reshape(len(sides), models * models)
    curvature = ((games * spread) @ squares).reshape(-1, models, models)
    both = free[:, :, None] & free[:, None]
    curvature = np.where(both, curvature, 0.0) + np.eye(models) * ~free[:, None]
    step: Floats = np.linalg.solve(curvature, np.where(free, gradient, 0.0)[..., None])[..., 0]
    return step
