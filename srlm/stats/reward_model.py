"""Agreement of a judge's scores with human rankings: the reward-model metrics of arXiv 2401.10020, Table 4.

The paper does not define the accuracy on pairs with equal scores. Its Table 4 is impossible for scores without ties
(its Kendall tau is far below 2 * accuracy - 1), so ties must have been left out. Here that is a choice, and the share
of ties is given with the accuracy, as are two controls for length bias: the accuracy of "the longer reply is better",
which a judge must exceed, and the judge's accuracy on pairs of similar length. All intervals are over instructions, the
unit that was sampled.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from srlm.stats.correlation import spearman as rank_correlation
from srlm.stats.intervals import Estimate, bootstrap_ratio, mean_interval, wilson

Ties = Literal["exclude", "wrong", "half"]
SIMILAR = 1.25
"""Largest ratio of the lengths of two replies, in characters, that counts as similar length."""
CORRELATION_RESAMPLES = 2_000  # of the correlation with length: each one ranks all replies again


@dataclass(frozen=True)
class Ranked:
    """The replies to one instruction: human rank (0 is best), score (None: unparsed), length in characters."""

    ranks: tuple[float, ...]
    scores: tuple[float | None, ...]
    lengths: tuple[int, ...]

    def __post_init__(self) -> None:
        if not len(self.ranks) == len(self.scores) == len(self.lengths):
            raise ValueError("one rank, one score and one length for each reply")


@dataclass(frozen=True)
class RewardModelMetrics:
    """Rates from 0 to 1 and correlations from -1 to 1; higher means closer to the human order.

    `unread` of the `replies` had no score. `undefined_correlations` of the `instructions` have no rank correlation: all
    scores or all human ranks are equal, or fewer than two replies have a score.
    """

    pairwise_accuracy: Estimate
    tie_rate: Estimate
    five_best: Estimate
    exact_match: Estimate
    spearman: Estimate
    kendall_tau_b: Estimate
    longer_wins: Estimate
    similar_length: Estimate
    score_and_length: Estimate
    instructions: int
    replies: int
    unread: int
    undefined_correlations: int


def reward_model_metrics(
    groups: Sequence[Ranked],
    *,
    ties: Ties = "exclude",
    perfect: float = 5.0,
    level: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
) -> RewardModelMetrics:
    """Compute the metrics of a judge's scores against human ranks, with one `Ranked` per instruction.

    pairwise accuracy   share of the pairs with different human ranks that the judge orders alike; `ties` in its
                        scores are left out ("exclude"), count as wrong, or count as half right
    tie rate            share of the same pairs, before any exclusion, that have equal scores
    five best           share of the replies scored `perfect` or more that no other reply to the instruction outranks
    exact match         share of the instructions with all replies scored whose order is the human one; equal scores
                        are no match, equal human ranks allow either order
    Spearman, Kendall   mean over the instructions with a defined correlation
    longer wins         pairwise accuracy of length as a score, on the pairs of the judge's accuracy, with the same
                        rule for equal lengths
    similar length      pairwise accuracy on the pairs whose longer reply has at most 1.25 times the characters
    score and length    Spearman's correlation of score and length over all replies with a score

    A reply without a score is in no pair. Metrics without data are nan.
    """

    def ratio(counts: Sequence[tuple[float, float]]) -> Estimate:
        return bootstrap_ratio([n for n, _ in counts], [d for _, d in counts], level, resamples, seed)

    pairs = [list(_pairs(group)) for group in groups]
    # Length is measured on the same pairs as the accuracy.
    judged = [[p for p in group if ties != "exclude" or p.score != 0] for group in pairs]
    replies = [(index, score, length) for index, group in enumerate(groups) for _, score, length in _read(group)]
    matches = [match for group in groups if (match := _exact_match(group)) is not None]
    correlations = [found for group in groups if (found := _correlations(group)) is not None]
    return RewardModelMetrics(
        pairwise_accuracy=ratio([_agreement([p.score for p in group], ties) for group in pairs]),
        tie_rate=ratio([(sum(p.score == 0 for p in group), len(group)) for group in pairs]),
        five_best=ratio([_perfect_are_best(group, perfect) for group in groups]),
        exact_match=wilson(sum(matches), len(matches), level),
        spearman=mean_interval([rho for rho, _ in correlations], level=level, bounds=(-1, 1)),
        kendall_tau_b=mean_interval([tau for _, tau in correlations], level=level, bounds=(-1, 1)),
        longer_wins=ratio([_agreement([p.length for p in group], ties) for group in judged]),
        similar_length=ratio([_agreement([p.score for p in group if p.similar], ties) for group in pairs]),
        score_and_length=rank_correlation(
            [score for _, score, _ in replies],
            [length for _, _, length in replies],
            [index for index, _, _ in replies],
            level,
            min(resamples, CORRELATION_RESAMPLES),
            seed,
        ),
        instructions=len(groups),
        replies=sum(len(group.ranks) for group in groups),
        unread=sum(score is None for group in groups for score in group.scores),
        undefined_correlations=len(groups) - len(correlations),
    )


def _read(group: Ranked) -> list[tuple[float, float, int]]:
    """Return rank, score and length of the replies with a score."""
    replies = zip(group.ranks, group.scores, group.lengths, strict=True)
    return [(rank, score, length) for rank, score, length in replies if score is not None]


@dataclass(frozen=True)
class _Pair:
    """Two replies with different human ranks: the better one's lead in score and length, and if both are as long."""

    score: float
    length: float
    similar: bool


def _pairs(group: Ranked) -> Iterator[_Pair]:
    for one, other in combinations(_read(group), 2):
        if one[0] != other[0]:
            better, worse = sorted((one, other), key=lambda reply: reply[0])
            short, long = sorted((better[2], worse[2]))
            yield _Pair(better[1] - worse[1], better[2] - worse[2], long <= SIMILAR * short)


def _agreement(leads: Sequence[float], ties: Ties) -> tuple[float, float]:
    """Return the number of leads above 0, and the number that it is out of."""
    right, tied = sum(lead > 0 for lead in leads), sum(lead == 0 for lead in leads)
    if ties == "exclude":
        return right, len(leads) - tied
    return (right + tied / 2 if ties == "half" else right), len(leads)


def _perfect_are_best(group: Ranked, perfect: float) -> tuple[int, int]:
    """Return how many replies with a perfect score no other reply outranks, and the number of perfect scores."""
    ranks = [rank for rank, score, _ in _read(group) if score >= perfect]
    return sum(rank == min(group.ranks) for rank in ranks), len(ranks)


def _exact_match(group: Ranked) -> bool | None:
    """Return True if the judge's order of all replies is the human one. Any two equal scores are no match.

    Replies of equal human rank may be in either order. None if undefined: a reply has no score (leaving it out would
    reward a judge whose replies are hard to parse), or all human ranks are equal.
    """
    replies = _read(group)
    if len(replies) < len(group.ranks) or len(set(group.ranks)) < 2:
        return None
    distinct = len({score for _, score, _ in replies}) == len(replies)
    return distinct and all(pair.score > 0 for pair in _pairs(group))


def _correlations(group: Ranked) -> tuple[float, float] | None:
    """Compute Spearman's rho and Kendall's tau-b of scores and human order; None if one of them is constant."""
    from scipy.stats import kendalltau, spearmanr

    replies = _read(group)
    goodness, scores = [-rank for rank, _, _ in replies], [score for _, score, _ in replies]
    if len(set(goodness)) < 2 or len(set(scores)) < 2:
        return None
    rho, tau = spearmanr(goodness, scores).statistic, kendalltau(goodness, scores, variant="b").statistic
    return float(rho), float(tau)
