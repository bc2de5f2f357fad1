"""Breakdown of a metric by prompt labels: category, complexity or expected length (2401.10020, Figures 4 and 11).

Each prompt belongs to exactly one group. Labels of fewer than 10 prompts are merged into one group; a group that is
still smaller gets its mean without an interval or a test. Prompts without a readable label are a group of their own.
p values are adjusted over all tests of the table (Holm), because the best of many cells looks better than it is.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from math import nan

from evals.compare.comparison import Breakdown
from evals.labels.store import LENGTHS, By, Label, load_labels
from evals.metric import Cell, ExtraTable, Metric, Series, paired
from srlm.runs import Run
from srlm.stats.paired import holm

FEWEST = 10
"""Prompts that a group needs for a row of its own, and for an interval and a test."""
NO_LABEL = "no label"
"""The group of prompts without a known label; a label of this name is the same."""
PLURAL: dict[By, str] = {"category": "categories", "complexity": "levels", "length": "lengths"}
TITLE: dict[By, str] = {"category": "category", "complexity": "complexity, 1-10", "length": "expected length"}


@dataclass(frozen=True)
class PromptGroup:
    """A row of a breakdown: its name and its prompts."""

    name: str
    prompts: frozenset[str]

    @property
    def small(self) -> bool:
        """Return True if the group has too few prompts for an interval."""
        return len(self.prompts) < FEWEST


def group_prompts(prompts: Collection[str], labels: Mapping[str, Label], by: By) -> list[PromptGroup]:
    """Divide prompts by their label: small groups are merged into one, and prompts without a label come last."""
    found: dict[str, set[str]] = {}
    unknown: set[str] = set()
    for prompt in prompts:
        value = labels[prompt].value(by) if prompt in labels else None
        (unknown if value in {None, NO_LABEL} else found.setdefault(str(value), set())).add(prompt)
    order = sorted(found, key=lambda name: _place(name, len(found[name]), by))
    small = [name for name in order if len(found[name]) < FEWEST]
    if len(small) == 1:
        small = []  # there is no other one to merge it with
    groups = [PromptGroup(name, frozenset(found[name])) for name in order if name not in small]
    if small:
        merged = frozenset(prompt for name in small for prompt in found[name])
        groups.append(PromptGroup(f"other: {len(small)} {PLURAL[by]}", merged))
    return [*groups, PromptGroup(NO_LABEL, frozenset(unknown))] if unknown else groups


def metric_breakdown(metric: Metric, labels: Mapping[str, Label], by: By) -> ExtraTable:
    """Compute a metric for each group of prompts: n, intervals, and the paired difference to the first model."""
    series = metric.series or {}
    models = list(series)
    groups = group_prompts(prompts_of(metric), labels, by)
    within = {group: {model: _within(one, group.prompts) for model, one in series.items()} for group in groups}
    tests = {
        (group, model): paired(within[group][model], within[group][models[0]], metric.bounds)
        for group in groups
        if not group.small
        for model in models[1:]
    }
    p_values = dict(zip(tests, holm([test.p_value for test in tests.values()]), strict=True))

    def cell(group: PromptGroup, model: str) -> Cell:
        estimate = within[group][model].estimate(metric.bounds)
        if group.small:
            return Cell(replace(estimate, low=nan, high=nan))
        test = tests.get((group, model))
        return Cell(estimate, test and replace(test, p_value=p_values[group, model]))

    rows = [
        Metric(
            key=row_key(metric, by, group),
            label=f"{group.name} (n = {len(group.prompts)}{', too few to tell' if group.small else ''})",
            unit=metric.unit,
            better=metric.better,
            cells={model: cell(group, model) for model in models},
        )
        for group in groups
    ]
    return ExtraTable(f"{metric.label}, by {TITLE[by]}", models, rows, [_caption(groups, labels, by)], models[0])


def prompts_of(metric: Metric) -> set[str]:
    """Return the prompts that a metric was measured on; none where it does not come from prompts."""
    return {cluster for one in (metric.series or {}).values() for cluster, _ in one.values.values()}


def has_labels(prompts: Collection[str], labels: Mapping[str, Label], by: By) -> bool:
    """Return True if any of these prompts has a label of this kind."""
    return any(prompt in labels and labels[prompt].value(by) is not None for prompt in prompts)


def row_key(metric: Metric, by: By, group: PromptGroup) -> str:
    """Return the key of a group's row."""
    return f"{metric.key}:{by}:{group.name}"


def by_label(run: Run | None, by: By, given: Mapping[str, Label] | None) -> Breakdown:
    """Return the function that breaks down the first row of a suite, by the given labels or those of the run.

    It returns None where no prompt has a label of this kind, or where the metric does not come from prompts.
    """

    def breakdown(digests: Sequence[str], metric: Metric) -> ExtraTable | None:
        labels = dict(given or {})
        if given is None and run is not None:
            labels = {key: label for digest in digests for key, label in load_labels(run, digest).items()}
        return metric_breakdown(metric, labels, by) if has_labels(prompts_of(metric), labels, by) else None

    return breakdown


def _within(series: Series, prompts: Collection[str]) -> Series:
    """Return the items of some prompts as a series of the same kind."""
    return type(series)({item: one for item, one in series.values.items() if one[0] in prompts})


def _place(name: str, size: int, by: By) -> tuple[int, str]:
    """Return the sort key of a group: categories by size, the largest first; levels and lengths ascending."""
    if by == "complexity":
        return int(name), name
    if by == "length":
        return LENGTHS.index(name) if name in LENGTHS else len(LENGTHS), name
    return -size, name


def _caption(groups: Sequence[PromptGroup], labels: Mapping[str, Label], by: By) -> str:
    prompts = frozenset().union(*(group.prompts for group in groups))
    judges = sorted({name for prompt in prompts if prompt in labels and (name := labels[prompt].source(by))})
    unknown = sum(len(group.prompts) for group in groups if group.name == NO_LABEL)
    found = [
        f"{len(prompts)} prompts, each in one row; labels by {', '.join(judges) or 'the authors of the prompts'}.",
        f"Labels of fewer than {FEWEST} prompts are merged; smaller groups get no interval and no test. p values are "
        "Holm-adjusted over the whole table.",
    ]
    if unknown:
        found.append(f"Prompts without a known or readable label: {unknown}; they have a row of their own.")
    return " ".join(found)
