"""Metrics of a model as a judge of ranked answers: pairwise accuracy, 5-best, exact match, rank correlations."""

from collections.abc import Callable, Sequence
from itertools import combinations
from math import inf

from evals.metric import Cell, Direction, Metric, Series, Unit, metric
from evals.note import Note, caption
from evals.suite import Selection
from evals.suites.reward_model.result import NO_RUBRIC, RewardResult
from srlm.stats.intervals import Estimate, wilson
from srlm.stats.reward_model import Ranked, RewardModelMetrics, reward_model_metrics


def metrics(chosen: Selection[RewardResult]) -> list[Metric]:
    """Return pairwise accuracy with ties as halves, the paper's five metrics, length bias, and the parse rate."""
    results = chosen.results
    found = {
        result.model: reward_model_metrics(
            result.groups, ties="exclude", perfect=inf if result.perfect is None else result.perfect
        )
        for result in results
    }
    order = {result.model: Series(_pair_order(result)) for result in results}

    def row(
        key: str, label: str, unit: Unit, better: Direction, pick: Callable[[RewardModelMetrics], Estimate]
    ) -> Metric:
        cells = {model: Cell(pick(one)) for model, one in found.items()}
        return Metric(f"rm_{key}", label, unit, better, cells, level=1)

    return [
        metric("rm_pairwise_half", "pairwise accuracy as judge, ties half", "%", "more", order, (0, 1)),
        row("pairwise", "pairwise accuracy, ties left out", "%", "more", lambda it: it.pairwise_accuracy),
        row("ties", "pairs that it ties", "%", "less", lambda it: it.tie_rate),
        row("longer", "the longer answer wins, same pairs", "%", "neither", lambda it: it.longer_wins),
        row(
            "similar_length", "pairwise accuracy, answers of similar length", "%", "more", lambda it: it.similar_length
        ),
        row("score_and_length", "score against length, Spearman", "", "neither", lambda it: it.score_and_length),
        row("five_best", "5-best", "%", "more", lambda it: it.five_best),
        row("exact", "exact match of the order", "%", "more", lambda it: it.exact_match),
        row("spearman", "Spearman correlation", "", "more", lambda it: it.spearman),
        row("kendall", "Kendall's tau-b", "", "more", lambda it: it.kendall_tau_b),
        Metric(
            "parse_rate",
            "parsed verdicts",
            "%",
            "more",
            {result.model: Cell(_parse_rate(result)) for result in results},
            level=1,
        ),
        *_vetoed(results),
    ]


def _vetoed(results: Sequence[RewardResult]) -> list[Metric]:
    """Return the share of answers that combinations veto; nothing if there are none."""
    if not any(result.vetoed for result in results):
        return []
    cells = {
        result.model: Cell(wilson(len(result.vetoed), sum(len(group.ranks) for group in result.groups)))
        for result in results
    }
    return [Metric("rm_vetoed", "vetoed answers", "%", "neither", cells, level=1)]


def _pair_order(result: RewardResult) -> dict[str, tuple[str, float]]:
    """Return each pair of answers with different ranks: 1 if ordered as by people, 0 if not, one half for a tie."""
    found: dict[str, tuple[str, float]] = {}
    for instruction, group in zip(result.instruction_ids, result.groups, strict=True):
        for one, two in combinations(range(len(group.ranks)), 2):
            correct = _correct(group, one, two)
            if correct is not None:
                found[f"{instruction}-{one}-{two}"] = (instruction, correct)
    return found


def _correct(group: Ranked, one: int, two: int) -> float | None:
    first, second = group.scores[one], group.scores[two]
    if first is None or second is None or group.ranks[one] == group.ranks[two]:
        return None
    if first == second:
        return 0.5
    return float((first > second) == (group.ranks[one] < group.ranks[two]))


def _parse_rate(result: RewardResult) -> Estimate:
    total = result.scored + result.unparsed + result.failed
    return wilson(result.scored, total)


def notes(chosen: Selection[RewardResult]) -> list[Note]:
    """Return the conditions of the metrics."""
    first = chosen.results[0]
    groups, provenance = first.groups, first.provenance
    rubric = "" if provenance.rubric == NO_RUBRIC else f", rubric {provenance.rubric_name}"
    return [
        caption(
            f"As judge: each model scores {sum(len(group.ranks) for group in groups)} answers to {len(groups)} "
            f"held-out ranked instructions ({provenance.judge}{rubric}); intervals are "
            "clustered by instruction; 50 % is chance."
        )
    ]
