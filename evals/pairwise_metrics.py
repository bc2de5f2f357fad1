"""Metrics of results that belong to pairs of models: win, tie or loss on each prompt, and the scores."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import isnan, nan

from evals.metric import Cell, Direction, Metric, ModelPair, Series, Unit, metric
from evals.results import P, PairResult
from srlm.stats.intervals import Estimate, ObservedRange, mean_interval
from srlm.stats.paired import Paired, holm, sign_test

TIE_HALF_SCORE = {"win": 1.0, "tie": 0.5, "loss": 0.0}
"""The score of a prompt: wins, and half of the ties."""
UNKNOWN = Estimate(nan, nan, nan, 0, 0)

Scores = Mapping[str, float]
"""The score of each prompt: 1, 0 or a half."""
Lengths = Mapping[str, tuple[str, float]]
"""The characters of answers, as the values of a series."""


def results_between(results: Mapping[tuple[str, str], P], models: Sequence[str]) -> list[P]:
    """Return the results among these models, each from the side of the model that is named later."""
    place = {model: number for number, model in enumerate(models)}
    found = [one for one in results.values() if one.model in place and one.opponent in place]
    oriented = [one if place[one.model] > place[one.opponent] else one.swapped() for one in found]
    return sorted(oriented, key=lambda one: (place[one.opponent], place[one.model]))


def pairs_of(results: Sequence[PairResult]) -> dict[str, ModelPair]:
    """Return the pairs of models of these results, by their printed name."""
    return {str(pair): pair for pair in (ModelPair(one.model, one.opponent) for one in results)}


def without_opponent(results: Sequence[PairResult], models: Sequence[str]) -> list[str]:
    """Return the models that none of these results is about."""
    return [model for model in models if all(model not in (one.model, one.opponent) for one in results)]


class WinsVsBaseline(Series):
    """One model's scores against the baseline, prompt by prompt; tested by wins and losses alone."""

    def max_difference(self, bounds: tuple[float, float]) -> float:
        """Return half of the range: the baseline's own series is 0.5 throughout."""
        return (bounds[1] - bounds[0]) / 2

    def p_value(self, paired: Paired) -> float:
        """Return the p value of the exact sign test."""
        return paired.p_value if isnan(paired.p_value) else sign_test(paired.wins, paired.losses)


class BaselineSelf(Series):
    """The baseline against itself: one half on each prompt, which is known and has no interval."""

    def estimate(self, bounds: tuple[float, float]) -> Estimate:
        """Return the half."""
        return Estimate(0.5, nan, nan, len(self.values), len(self.values)) if self.values else UNKNOWN


def score_metric(key: str, label: str, scores: Mapping[str, Scores], models: Sequence[str]) -> Metric:
    """Return the row of each model's score against the baseline, which is the first model and has one half.

    Args:
        key: of the row.
        label: of the row.
        scores: by model that met the baseline, the score of each prompt: 1, 0 or a half.
        models: of the comparison.
    """
    prompts = sorted({prompt for of_model in scores.values() for prompt in of_model})
    series: dict[str, Series] = {models[0]: BaselineSelf({prompt: (prompt, 0.5) for prompt in prompts})}
    for model in models[1:]:
        series[model] = WinsVsBaseline({prompt: (prompt, score) for prompt, score in scores.get(model, {}).items()})
    found = metric(key, label, "%", "more", series, (0, 1))
    return replace(found, test=None)  # two models other than the baseline have not met in these results


def pair_row(
    pairs: Mapping[str, ModelPair],
    key: str,
    label: str,
    unit: Unit,
    better: Direction,
    values: Sequence[Estimate],
    level: int = 0,
) -> Metric:
    """Return a row of a table whose columns are these pairs of models."""
    return Metric(key, label, unit, better, dict(zip(pairs, map(Cell, values), strict=True)), level=level)


def mean_score(scores: Scores) -> Estimate:
    """Return the mean score with its interval."""
    return mean_interval(list(scores.values()))


def wins_and_losses(scores: Scores) -> tuple[int, int]:
    """Count wins and losses."""
    values = list(scores.values())
    return values.count(TIE_HALF_SCORE["win"]), values.count(TIE_HALF_SCORE["loss"])


def outcome_count(scores: Scores, outcome: str) -> Estimate:
    """Count the prompts with an outcome, of all that have one."""
    return count(list(scores.values()).count(TIE_HALF_SCORE[outcome]), len(scores))


def sign_tests(results: Sequence[Scores]) -> list[Estimate]:
    """Return the p value of the sign test of each pair of models, Holm-adjusted over the pairs."""
    p_values = holm([sign_test(*wins_and_losses(scores)) if scores else nan for scores in results])
    return [Estimate(p, nan, nan, len(scores), len(scores)) for p, scores in zip(p_values, results, strict=True)]


def count(value: int, of: int = 0) -> Estimate:
    """Return a count; its share is printed where it is `of` a number."""
    return Estimate(value, nan, nan, of, of)


def mean_length(lengths: Lengths) -> Estimate:
    """Return the mean length with its interval."""
    values = [length for _, length in lengths.values()]
    return mean_interval(values, bounds=ObservedRange((min(values, default=0.0), max(values, default=0.0))))
