"""A figure by what its prompts are: category, complexity or expected length (2401.10020, Figures 4 and 11).

Each prompt stands in exactly one line. Few prompts tell little: labels of fewer than 10 are put together into one line,
and where even that has fewer it shows its mean without an interval or a test. Prompts without a label that could be
read are a line of their own. p values are adjusted over all tests of the table (Holm), because the best of many cells
looks better than it is.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from math import nan

from evals.compare.comparison import Breakdown
from evals.labels.store import LENGTHS, By, Label, labels_of
from evals.metric import Cell, ExtraTable, Metric, Series, paired
from srlm.runs import Run
from srlm.stats.paired import holm

FEWEST = 10
"""Prompts that a line must have to stand alone, and to get an interval and a test."""
NO_LABEL = "no label"
"""The line of prompts whose label is not known; a label of these words says the same."""
PLURAL: dict[By, str] = {"category": "categories", "complexity": "levels", "length": "lengths"}
TITLE: dict[By, str] = {"category": "category", "complexity": "complexity, 1-10", "length": "expected length"}


@dataclass(frozen=True)
class Part:
    """A line of a breakdown: its name, and the prompts that stand in it."""

    name: str
    prompts: frozenset[str]


def parts(prompts: Collection[str], labels: Mapping[str, Label], by: By) -> list[Part]:
    """Divide prompts by their label: each in one part, small parts as one, and last those without a label."""
    found: dict[str, set[str]] = {}
    unknown: set[str] = set()
    for prompt in prompts:
        value = labels[prompt].value(by) if prompt in labels else None
        (unknown if value in {None, NO_LABEL} else found.setdefault(str(value), set())).add(prompt)
    order = sorted(found, key=lambda name: _place(name, len(found[name]), by))
    small = [name for name in order if len(found[name]) < FEWEST]
    if len(small) == 1:
        small = []  # there is nothing to put it together with
    lines = [Part(name, frozenset(found[name])) for name in order if name not in small]
    if small:
        merged = frozenset(prompt for name in small for prompt in found[name])
        lines.append(Part(f"other: {len(small)} {PLURAL[by]}", merged))
    return [*lines, Part(NO_LABEL, frozenset(unknown))] if unknown else lines


def broken_down(metric: Metric, labels: Mapping[str, Label], by: By) -> ExtraTable:
    """A figure in parts, each with n, intervals, and the paired difference to the first model."""
    series = metric.series or {}
    models = list(series)
    prompts = {cluster for one in series.values() for cluster, _ in one.values.values()}
    lines = parts(prompts, labels, by)
    within = {part: {model: _within(one, part.prompts) for model, one in series.items()} for part in lines}
    tests = {
        (part, model): paired(within[part][model], within[part][models[0]], metric.bounds)
        for part in lines
        if len(part.prompts) >= FEWEST
        for model in models[1:]
    }
    p_values = dict(zip(tests, holm([test.p_value for test in tests.values()]), strict=True))

    def cell(part: Part, model: str) -> Cell:
        estimate = within[part][model].estimate(metric.bounds)
        if len(part.prompts) < FEWEST:
            return Cell(replace(estimate, low=nan, high=nan))
        test = tests.get((part, model))
        return Cell(estimate, test and replace(test, p_value=p_values[part, model]))

    rows = [
        Metric(
            key=f"{metric.key}:{by}:{part.name}",
            label=f"{part.name} (n = {len(part.prompts)}{', too few to tell' if len(part.prompts) < FEWEST else ''})",
            unit=metric.unit,
            better=metric.better,
            cells={model: cell(part, model) for model in models},
        )
        for part in lines
    ]
    return ExtraTable(f"{metric.label}, by {TITLE[by]}", models, rows, [_caption(lines, labels, by)], models[0])


def by_label(run: Run | None, by: By, given: Mapping[str, Label] | None) -> Breakdown:
    """The breakdown of a suite's first row: by the labels that are given, or that the run has for the prompts.

    None of it where no prompt has a label of the kind, or where the figure does not come from prompts.
    """

    def breakdown(prompts: Sequence[str], metric: Metric) -> ExtraTable | None:
        labels = dict(given or {})
        if given is None and run is not None:
            labels = {key: label for digest in prompts for key, label in labels_of(run, digest).items()}
        clusters = {cluster for one in (metric.series or {}).values() for cluster, _ in one.values.values()}
        if not any(prompt in labels and labels[prompt].value(by) is not None for prompt in clusters):
            return None
        return broken_down(metric, labels, by)

    return breakdown


def _within(series: Series, prompts: Collection[str]) -> Series:
    """The items of some prompts, as the same kind of series."""
    return type(series)({item: one for item, one in series.values.items() if one[0] in prompts})


def _place(name: str, size: int, by: By) -> tuple[int, str]:
    """Categories from the largest on, levels and lengths from the lowest."""
    if by == "complexity":
        return int(name), name
    if by == "length":
        return LENGTHS.index(name) if name in LENGTHS else len(LENGTHS), name
    return -size, name


def _caption(lines: Sequence[Part], labels: Mapping[str, Label], by: By) -> str:
    prompts = frozenset().union(*(part.prompts for part in lines))
    judges = sorted({name for prompt in prompts if prompt in labels and (name := labels[prompt].giver(by))})
    unknown = sum(len(part.prompts) for part in lines if part.name == NO_LABEL)
    found = [
        f"{len(prompts)} prompts, each in one line; labels by {', '.join(judges) or 'whoever wrote the prompts'}.",
        f"Labels of fewer than {FEWEST} prompts are put together; fewer get neither interval nor test. p values are "
        "Holm-adjusted over the whole table.",
    ]
    if unknown:
        found.append(
            f"Prompts whose label is not known, or could not be read: {unknown}; they have a line of their own."
        )
    return " ".join(found)
