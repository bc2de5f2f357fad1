"""Chance level of the reward-model metrics: a judge whose scores are random, over many draws.

The value is the mean over the draws, and the interval holds 95 % of them: a judge within it may be no better than
chance. Unlike elsewhere, the interval is not over other instructions, but over random scores of these.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from srlm.stats.intervals import Estimate, Floats
from srlm.stats.reward_model import SIMILAR, Ranked


@dataclass(frozen=True)
class RandomJudge:
    """Metrics of a judge with random scores: those of `srlm.stats.reward_model` that need no perfect score."""

    pairwise_accuracy: Estimate
    similar_length: Estimate
    exact_match: Estimate
    spearman: Estimate
    kendall_tau_b: Estimate


def random_judge(groups: Sequence[Ranked], draws: int = 1_000, seed: int = 0) -> RandomJudge:
    """Score every reply of every group uniformly at random, `draws` times; no two scores are equal.

    Groups in which all replies have the same human rank are left out. Without any other, the metrics are nan.
    """
    rng = np.random.default_rng(seed)
    found = [_Drawn(group, rng.random((draws, len(group.ranks)))) for group in groups if len(set(group.ranks)) > 1]
    pairs = [np.column_stack(one.right) for one in found]
    similar = [np.column_stack(alike) for one in found if (alike := one.right_of_similar)]
    return RandomJudge(
        pairwise_accuracy=_spread(pairs),
        similar_length=_spread(similar),
        exact_match=_spread([np.all(one, axis=1, keepdims=True) for one in pairs]),
        spearman=_spread([one.spearman for one in found]),
        kendall_tau_b=_spread([one.kendall_tau_b for one in found]),
    )


class _Drawn:
    """The scores of one group in all draws. Each metric has one column per item and one row per draw."""

    def __init__(self, group: Ranked, scores: Floats) -> None:
        self.group, self.scores = group, scores
        self.pairs = [
            (one, two) if group.ranks[one] < group.ranks[two] else (two, one)
            for one, two in combinations(range(len(group.ranks)), 2)
            if group.ranks[one] != group.ranks[two]
        ]
        self.right = [scores[:, better] > scores[:, worse] for better, worse in self.pairs]

    @property
    def right_of_similar(self) -> list[np.ndarray]:
        lengths = self.group.lengths
        return [
            right
            for right, (one, two) in zip(self.right, self.pairs, strict=True)
            if max(lengths[one], lengths[two]) <= SIMILAR * min(lengths[one], lengths[two])
        ]

    @property
    def spearman(self) -> Floats:
        from scipy.stats import rankdata

        goodness = rankdata([-rank for rank in self.group.ranks])
        drawn = np.argsort(np.argsort(self.scores, axis=1), axis=1).astype(np.float64)
        x, y = goodness - goodness.mean(), drawn - drawn.mean(axis=1, keepdims=True)
        found: Floats = (y @ x / np.sqrt((x @ x) * (y * y).sum(axis=1)))[:, None]
        return found

    @property
    def kendall_tau_b(self) -> Floats:
        k, untied = len(self.group.ranks), len(self.pairs)
        signs = 2.0 * np.column_stack(self.right) - 1
        found: Floats = (signs.sum(axis=1) / np.sqrt(untied * k * (k - 1) / 2))[:, None]
        return found


def _spread(items: Iterable[np.ndarray]) -> Estimate:
    """Average over items in each draw; return the mean and the 95 % range over the draws."""
    columns = list(items)
    if not columns:
        return Estimate(np.nan, np.nan, np.nan, 0, 0)
    table = np.concatenate(columns, axis=1).astype(np.float64)
    of_draw = table.mean(axis=1)
    low, high = np.quantile(of_draw, [0.025, 0.975])
    return Estimate(float(of_draw.mean()), float(low), float(high), table.shape[1], len(columns))
