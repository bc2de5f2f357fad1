"""Baselines of the suite reward, which ignore the answer text: length, position, and random scores.

Length alone often orders three of four human-ranked pairs correctly. "First in the file" shows if the file lists the
best answer first, which a judge that sees several answers must not be shown. "Random" draws scores.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from evals.metric import Cell, ExtraTable, Metric, Unit
from evals.suite import Selection
from evals.suites.reward_model.result import RewardResult
from srlm.stats.intervals import Estimate
from srlm.stats.random_judge import RandomJudge, random_judge
from srlm.stats.reward_model import SIMILAR, Ranked, RewardModelMetrics, reward_model_metrics

NAMES = ["longer wins", "shorter wins", "first in the file wins", "random"]


def extra_tables(chosen: Selection[RewardResult]) -> list[ExtraTable]:
    """Return the paper's metrics of the baselines. All results are of the same answers."""
    found = {name: heuristic_judge(name, chosen.results[0].groups) for name in NAMES}

    def row(
        key: str, label: str, unit: Unit, pick: Callable[[RewardModelMetrics | RandomJudge], Estimate], level: int = 0
    ) -> Metric:
        cells = {name: Cell(pick(one)) for name, one in found.items()}
        return Metric(f"trivial_{key}", label, unit, "neither", cells, level=level)

    return [
        ExtraTable(
            "Judges that read nothing, on the same ranked answers",
            NAMES,
            [
                row("pairwise_half", "pairwise accuracy, ties half", "%", lambda it: it.pairwise_accuracy),
                row("similar_length", "in pairs of similar length", "%", lambda it: it.similar_length, level=1),
                row("exact", "exact match of the order", "%", lambda it: it.exact_match),
                row("spearman", "Spearman correlation", "", lambda it: it.spearman),
                row("kendall", "Kendall's tau-b", "", lambda it: it.kendall_tau_b),
            ],
            [
                "What a judge must beat. Random: the mean of 1,000 judges that draw their scores, and the range that "
                "holds 95 of 100 of them, so a value within it may be chance. 5-best has no meaning here. Of similar "
                f"length: neither answer has over {SIMILAR} times the characters of the other. A judge that sees "
                "several answers at once must not be shown a file's order where the first wins."
            ],
        )
    ]


def heuristic_judge(name: str, groups: Sequence[Ranked]) -> RewardModelMetrics | RandomJudge:
    """Compute the metrics of a judge that scores an answer by its length, by its position, or at random."""
    if name == "random":
        return random_judge(groups)

    def scores(group: Ranked) -> tuple[float, ...]:
        if name == "first in the file wins":
            return tuple(-float(place) for place in range(len(group.ranks)))
        return tuple(float(length) if name == "longer wins" else -float(length) for length in group.lengths)

    return reward_model_metrics([replace(group, scores=scores(group)) for group in groups], ties="half")
