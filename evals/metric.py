"""Metrics of several models: an estimate with its interval, and the paired difference to the baseline model.

The kind of a value decides the interval and the test: yes or no, once per prompt (Wilson, McNemar); yes or no, for
several items of a prompt (bootstrap and permutation, clustered by prompt); an amount (clustered t, permutation). The
p values of one metric are adjusted over the models that are compared with the baseline (Holm), because the best of
several noisy checkpoints looks better than it is.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isnan
from typing import Literal, NamedTuple

from srlm.stats.intervals import Estimate, ObservedRange, bootstrap_ratio, mean_interval, wilson
from srlm.stats.paired import Paired, holm, paired_difference, sign_test

Direction = Literal["more", "less", "neither"]
"""The direction that is better."""

Unit = Literal["%", "chars", "grade", "elo", "count", "place", "p", "kappa", "number", ""]
"""The unit of a value: "%" is a fraction that is printed in percent, "" a correlation."""

ALPHA = 0.05
"""Significance level of adjusted p values."""


@dataclass(frozen=True)
class Cell:
    """One model's estimate of a metric. `paired` is its difference to the baseline, with the adjusted p value."""

    estimate: Estimate
    paired: Paired | None = None


@dataclass(frozen=True)
class Reference:
    """Published values of a metric: the place in the source, and the values by model, in the metric's unit."""

    where: str
    values: dict[str, float]


@dataclass(frozen=True)
class Series:
    """One model's values of a metric: item -> (cluster, value)."""

    values: dict[str, tuple[str, float]]

    def estimate(self, bounds: tuple[float, float]) -> Estimate:
        """Return the mean with a clustered interval; `bounds` is the range of a value."""
        items = list(self.values.values())
        return mean_interval([value for _, value in items], [cluster for cluster, _ in items], bounds=bounds)

    def max_difference(self, bounds: tuple[float, float]) -> float:
        """Return the largest possible absolute difference to the baseline's series."""
        return bounds[1] - bounds[0]

    def p_value(self, paired: Paired) -> float:
        """Return the p value of the difference to another series."""
        return paired.p_value


class BinaryPerPrompt(Series):
    """Yes or no, once per prompt: Wilson's interval and McNemar's exact test."""

    def estimate(self, bounds: tuple[float, float]) -> Estimate:
        """Return the share of yes with Wilson's interval."""
        return wilson(sum(value for _, value in self.values.values()), len(self.values))

    def p_value(self, paired: Paired) -> float:
        """Return the p value of McNemar's exact test."""
        return paired.p_value if isnan(paired.p_value) else sign_test(paired.wins, paired.losses)


class BinaryPerItem(Series):
    """Yes or no, for several items of a prompt: the bootstrap, clustered by prompt."""

    def estimate(self, bounds: tuple[float, float]) -> Estimate:
        """Return the share of yes over all items, with the percentile interval."""
        counts: dict[str, tuple[float, int]] = {}
        for cluster, value in self.values.values():
            total, n = counts.get(cluster, (0.0, 0))
            counts[cluster] = (total + value, n + 1)
        return bootstrap_ratio([total for total, _ in counts.values()], [n for _, n in counts.values()])


Test = Callable[[str, str], Paired]
"""The difference of one model to another, by name."""


@dataclass(frozen=True)
class Metric:
    """One row of a comparison: its key, label and unit, the direction that is better, and a cell for each model.

    Attributes:
        level: depth in the hierarchy of rows: 0 is a headline, 1 belongs to the headline above it, 2 to a part of it.
        category: the category of samples that the row is about, such as a task of lm-eval; empty for all of them.
        paper: published values, where they are wanted.
        series: the values that the cells come from, where they come from items and can be divided into groups.
        bounds: the range of a value.
        test: the difference of one model to another, not adjusted.
        suite: the suite that it was measured in, once it is part of a comparison.
    """

    key: str
    label: str
    unit: Unit
    better: Direction
    cells: dict[str, Cell]
    paper: Reference | None = None
    series: Mapping[str, Series] | None = field(default=None, repr=False)
    bounds: tuple[float, float] = (0.0, 1.0)
    test: Test | None = field(default=None, repr=False)
    suite: str = ""
    level: int = 0
    category: str = ""


class ModelPair(NamedTuple):
    """Two models that were compared with each other; printed as "M2 : SFT"."""

    model: str
    opponent: str

    def __str__(self) -> str:
        return f"{self.model} : {self.opponent}"


@dataclass(frozen=True)
class ExtraTable:
    """An additional table, shown below a comparison.

    Its columns are the compared models only where it has a baseline. `pairs` are the models of a column that is a pair.
    """

    title: str
    columns: list[str]
    metrics: list[Metric]
    captions: list[str] = field(default_factory=list)
    baseline: str | None = None
    pairs: dict[str, ModelPair] = field(default_factory=dict)


def metric(
    key: str,
    label: str,
    unit: Unit,
    better: Direction,
    series: Mapping[str, Series],
    bounds: tuple[float, float],
    *,
    tested: bool = True,
    level: int = 0,
    category: str = "",
) -> Metric:
    """Return a row computed from the values of each model; the first model is the baseline."""
    estimates = {name: one.estimate(bounds) for name, one in series.items()}

    def test(one: str, two: str) -> Paired:
        return paired(series[one], series[two], bounds)

    return Metric(
        key,
        label,
        unit,
        better,
        cells_of(estimates, test) if tested else {name: Cell(estimate) for name, estimate in estimates.items()},
        series=series,
        bounds=bounds,
        test=test if tested else None,
        level=level,
        category=category,
    )


def cells_of(estimates: Mapping[str, Estimate], test: Test) -> dict[str, Cell]:
    """Return each model's cell with its difference to the first model; p values are Holm-adjusted."""
    first, *others = estimates
    found = [test(name, first) for name in others]
    adjusted = holm([one.p_value for one in found])
    pairs = zip(others, found, adjusted, strict=True)
    differences = {name: replace(one, p_value=p_value) for name, one, p_value in pairs}
    return {name: Cell(estimate, differences.get(name)) for name, estimate in estimates.items()}


def paired(one: Series, two: Series, bounds: tuple[float, float]) -> Paired:
    """Return the difference of two models on their common items, with the p value of the test of such values."""
    common = sorted(one.values.keys() & two.values.keys())
    widest = (0.0, one.max_difference(bounds))
    found = paired_difference(
        [one.values[item][1] for item in common],
        [two.values[item][1] for item in common],
        [one.values[item][0] for item in common],
        bounds=ObservedRange(widest) if isinstance(bounds, ObservedRange) else widest,
    )
    return replace(found, p_value=one.p_value(found))


def is_significant(paired: Paired, p_value: float | None = None) -> bool:
    """Return True if the adjusted p value is below `ALPHA` and the interval excludes 0.

    `p_value` is the adjusted p value, where that of `paired` is not adjusted.
    """
    p = paired.p_value if p_value is None else p_value
    return p < ALPHA and paired.difference.low * paired.difference.high > 0


def headlines(metrics: Sequence[Metric]) -> list[Metric]:
    """Return the rows that stand at the head of others."""
    return [one for one in metrics if not one.level]


def observed_range(series: Mapping[str, Series]) -> ObservedRange:
    """Return the smallest and largest observed value: the bounds of a metric whose scale has no ends."""
    seen = [value for one in series.values() for _, value in one.values.values()]
    return ObservedRange((min(seen), max(seen)) if seen else (0.0, 0.0))
