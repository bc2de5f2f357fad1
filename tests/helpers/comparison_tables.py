"""A small comparison with every kind of cell, for tests of how comparisons are printed."""

from math import nan

from evals.compare.comparison import Comparison
from evals.metric import Cell, Metric
from evals.note import caption
from srlm.stats.intervals import Estimate
from srlm.stats.paired import Paired

UNKNOWN = Estimate(nan, nan, nan, 0, 0)


def estimate(value, width=0.1, n=20):
    return Estimate(value, value - width, value + width, n, n)


def paired(value, p, width=0.05):
    return Paired(estimate(value, width), p, 12, 3, 5)


COMPARISON = Comparison(
    models=["M1", "M2"],
    baseline="M1",
    metrics=[
        Metric(
            "win_rate",
            "win rate",
            "%",
            "more",
            {"M1": Cell(estimate(0.5)), "M2": Cell(estimate(0.62), paired(0.12, 0.003))},
        ),
        Metric(
            "length",
            "mean length",
            "chars",
            "neither",
            {"M1": Cell(estimate(300.4, 20)), "M2": Cell(estimate(350, 20), paired(49.6, 0.2, 80))},
            level=1,
        ),
        Metric(
            "rm_kendall", "Kendall's tau-b", "", "more", {"M1": Cell(estimate(-0.25)), "M2": Cell(UNKNOWN)}, level=1
        ),
        Metric(
            "rm_pairwise_half",
            "pairwise accuracy",
            "%",
            "more",
            {"M1": Cell(estimate(0.5)), "M2": Cell(UNKNOWN, Paired(UNKNOWN, nan, 0, 0, 0))},
        ),
    ],
    notes=[caption("Win rate, of 20 prompts."), caption("Judge: j.")],
    conclusions=["M2 is significantly better than M1 in win rate: +12.0 points [+7.0, +17.0], p = 0.003."],
)
