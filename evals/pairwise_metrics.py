"""Metrics of results that belong to pairs of models: win, tie or loss on each prompt, and the score."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import isnan, nan

from evals.metric import Metric, Series, metric
from evals.results import P
from srlm.stats.intervals import Estimate
from srlm.stats.paired import Paired, sign_test

TIE_HALF_SCORE = {"win": 1.0, "tie": 0.5, "loss": 0.0}
"""The score of a prompt: wins, and half of the ties."""
UNKNOWN = Estimate(nan, nan, nan, 0, 0)


def results_between(results: Mapping[tuple[str, str], P], models: Sequence[str]) -> list[P]:
    """Return the results among these models, each from the side of the model that is named later."""
    place = {model: number for number, model in enumerate(models)}
    found = [one for one in results.values() if one.model in place and one.opponent in place]
    oriented = [one if place[one.model] > place[one.opponent] else one.swapped() for one in found]
    return sorted(oriented, key=lambda one: (place[one.opponent], place[one.model]))


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


def score_metric(key: str, label: str, scores: Mapping[str, Mapping[str, float]], models: Sequence[str]) -> Metric:
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
