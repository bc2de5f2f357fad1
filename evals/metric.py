"""A figure of several models: each with its interval, and its difference to the first model with a paired test.

What a value is decides how both are had: yes or no of a prompt (Wilson, McNemar), yes or no of one of several in a
prompt (bootstrap by prompt, permutation), or an amount (clustered t, permutation). The p values of one figure are
adjusted over the models that are compared with the baseline (Holm), because the best of several noisy checkpoints
looks better than it is.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from math import isnan

from srlm.stats.intervals import Estimate, ObservedRange, bootstrap_ratio, mean_interval, wilson
from srlm.stats.paired import Paired, holm, paired_difference, sign_test


@dataclass(frozen=True)
class Cell:
    """One model's figure. `paired` is its difference to the baseline, with the adjusted p value."""

    estimate: Estimate
    paired: Paired | None = None


@dataclass(frozen=True)
class Reference:
    """What somebody printed for a figure: where, and by model, in the figure's own unit."""

    where: str
    values: dict[str, float]


@dataclass(frozen=True)
class Series:
    """A figure's values of one model: item -> (cluster, value)."""

    values: dict[str, tuple[str, float]]

    def estimate(self, bounds: tuple[float, float]) -> Estimate:
        """The mean, its interval clustered; `bounds` is the range of a value."""
        items = list(self.values.values())
        return mean_interval([value for _, value in items], [cluster for cluster, _ in items], bounds=bounds)

    def reach(self, bounds: tuple[float, float]) -> float:
        """How far from 0 a difference to the baseline's series can lie."""
        return bounds[1] - bounds[0]

    def p_value(self, paired: Paired) -> float:
        """Of the difference to another series."""
        return paired.p_value


class Rate(Series):
    """Yes or no, once a prompt: Wilson's interval and McNemar's exact test."""

    def estimate(self, bounds: tuple[float, float]) -> Estimate:
        """The share, with Wilson's interval."""
        return wilson(sum(value for _, value in self.values.values()), len(self.values))

    def p_value(self, paired: Paired) -> float:
        """McNemar's, exact."""
        return paired.p_value if isnan(paired.p_value) else sign_test(paired.wins, paired.losses)


class Rates(Series):
    """Yes or no, several times a prompt: the bootstrap, clustered by prompt."""

    def estimate(self, bounds: tuple[float, float]) -> Estimate:
        """The share of all, with the percentile interval."""
        counts: dict[str, tuple[float, int]] = {}
        for cluster, value in self.values.values():
            total, n = counts.get(cluster, (0.0, 0))
            counts[cluster] = (total + value, n + 1)
        return bootstrap_ratio([total for total, _ in counts.values()], [n for _, n in counts.values()])


Test = Callable[[str, str], Paired]
"""The difference of a model to another one, by name."""


@dataclass(frozen=True)
class Metric:
    """One row: how it is called, how it is written, and whether more of it is better.

    `paper` is what the paper has of it, if that is wanted; `series` and `bounds` are what the cells come from, where
    they come from items and can be taken apart again; `test` is the difference of one model to another, not adjusted.
    `suite` is the one that it was read off, where it stands in a comparison.
    """

    key: str
    label: str
    unit: str
    better: str
    cells: dict[str, Cell]
    paper: Reference | None = None
    series: Mapping[str, Series] | None = field(default=None, repr=False)
    bounds: tuple[float, float] = (0.0, 1.0)
    test: Test | None = field(default=None, repr=False)
    suite: str = ""


@dataclass(frozen=True)
class Side:
    """A table that belongs beside a comparison. Its columns are the compared models only where it has a baseline."""

    title: str
    columns: list[str]
    metrics: list[Metric]
    captions: list[str] = field(default_factory=list)
    baseline: str | None = None


def metric(
    key: str,
    label: str,
    unit: str,
    better: str,
    series: Mapping[str, Series],
    bounds: tuple[float, float],
    tested: bool = True,
) -> Metric:
    """A row from the values of each model; the first model is the baseline."""
    estimates = {name: one.estimate(bounds) for name, one in series.items()}

    def test(one: str, two: str) -> Paired:
        return paired(series[one], series[two], bounds)

    if not tested:
        cells = {name: Cell(estimate) for name, estimate in estimates.items()}
        return Metric(key, label, unit, better, cells, series=series, bounds=bounds)
    return Metric(key, label, unit, better, cells_of(estimates, test), series=series, bounds=bounds, test=test)


def cells_of(estimates: Mapping[str, Estimate], test: Test) -> dict[str, Cell]:
    """Each model's figure with its difference to the first one, the p values adjusted (Holm)."""
    first, *others = estimates
    found = [test(name, first) for name in others]
    adjusted = holm([one.p_value for one in found])
    pairs = zip(others, found, adjusted, strict=True)
    differences = {name: replace(one, p_value=p_value) for name, one, p_value in pairs}
    return {name: Cell(estimate, differences.get(name)) for name, estimate in estimates.items()}


def paired(one: Series, two: Series, bounds: tuple[float, float]) -> Paired:
    """The difference of two models on the items that both have; the p value is that of what a value is."""
    common = sorted(one.values.keys() & two.values.keys())
    found = paired_difference(
        [one.values[item][1] for item in common],
        [two.values[item][1] for item in common],
        [one.values[item][0] for item in common],
        bounds=ObservedRange((0.0, one.reach(bounds)))
        if isinstance(bounds, ObservedRange)
        else (0.0, one.reach(bounds)),
    )
    return replace(found, p_value=one.p_value(found))


def seen_range(series: Mapping[str, Series]) -> ObservedRange:
    """What values are seen at all: the bounds of a figure whose scale has no ends."""
    seen = [value for one in series.values() for _, value in one.values.values()]
    return ObservedRange((min(seen), max(seen)) if seen else (0.0, 0.0))
