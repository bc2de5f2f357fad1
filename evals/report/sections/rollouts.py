"""Section of a training with learn_from=rollouts: the judge's word and the checker's, step by step.

Intervals are those of clustered rates (`srlm.stats.intervals`) with steps as clusters, because answers of one step are
to the same problems and by the same weights.
"""

from collections.abc import Iterable, Sequence
from math import isnan
from shlex import quote

import numpy as np

from evals.note import caption
from evals.report.charts.lines import LineSeries, Point, Trend, trends
from evals.report.charts.svg import shape, variable
from evals.report.samples.rollouts import NO_REWARD, OUTCOMES, rollout_iterations
from evals.report.samples.training import MOST, iteration_suite
from evals.report.section import Cell, Figure, LegendKey, Row, Section, Table
from evals.sample import link
from srlm.jsonl import parse_lines
from srlm.rollout_metrics import RolloutMetrics
from srlm.rollouts import StepAudit
from srlm.runs import Run
from srlm.stats.intervals import Estimate, ObservedRange, mean_interval

ID, TITLE = "iterations", "Training, step by step"
BINS = 8
"""Points of a line, each of several steps."""


def read_rollout_metrics(run: Run) -> list[RolloutMetrics]:
    """Read the metrics of all finished iterations, in order."""
    found: list[RolloutMetrics] = []
    for model in rollout_iterations(run):
        path = run.path(f"{model}/health")
        if path.exists():
            found += parse_lines(path, RolloutMetrics)
    return found


def rollout_section(run: Run) -> Section:
    """Return the section: per iteration a figure and a table."""
    found = read_rollout_metrics(run)
    if not found:
        return Section(ID, TITLE, missing="No iteration has ended yet.", command=f"srlm train --name {quote(run.name)}")
    audits = {one.model: run.records(f"{one.model}/audit", StepAudit) for one in found}
    judged = (
        "a checker runs on every answer, and nothing learns from it" if found[0].has_truth else "there is no checker"
    )
    lead = (
        f"M_t learns from the rewards of its own answers to problems of the task {found[0].task}; {judged}. The first "
        "sign of failure is that the judge calls more answers right and no more are."
    )
    note = f"The samples below have at most {MOST} groups of answers of each iteration; srlm show ID has all."
    return Section(
        ID,
        TITLE,
        lead,
        [_figure(one, audits[one.model]) for one in found],
        [_table(one, audits[one.model]) for one in found],
        [caption(note)],
    )


def _figure(metrics: RolloutMetrics, audits: Sequence[StepAudit]) -> Figure:
    size = -(-len(audits) // BINS)
    bins = [audits[start : start + size] for start in range(0, len(audits), size)]
    steps = [f"{part[0].step}–{part[-1].step}" if len(part) > 1 else f"{part[0].step}" for part in bins]
    judge, checker = _line("judged right", map(_judged_right, bins), 0), _line("right", map(_right, bins), 1)
    panels = [
        *(
            [
                Trend("Judged right, and right, %", (judge, checker), percent=True),
                Trend("Precision of the judge, %", (_line("precision", map(_precision, bins), 0),), percent=True),
                Trend("Recall of the judge, %", (_line("recall", map(_recall, bins), 0),), percent=True),
            ]
            if metrics.has_truth
            else []
        ),
        Trend("Mean reward", (_line("reward", (_mean(part, "mean_reward") for part in bins), 0),)),
        Trend("Tokens of an answer", (_line("tokens", (_mean(part, "mean_tokens") for part in bins), 0),)),
        Trend(
            "Groups without spread, %",
            (_line("share", (_mean(part, "no_spread_share") for part in bins), 0),),
            percent=True,
        ),
    ]
    alt = f"Small panels over the steps of {metrics.model}: " + "; ".join(
        f"steps {step}: judged right {_percent(_judged_right(part))}, right {_percent(_right(part))}, precision "
        f"{_percent(_precision(part))}"
        if metrics.has_truth
        else f"steps {step}: reward {_mean(part, 'mean_reward').value:.2f}"
        for step, part in zip(steps, bins, strict=True)
    )
    keys = [LegendKey(variable(one.series), shape(one.series), one.name) for one in (judge, checker)]
    alarms = ", ".join(f"{kind} at step {step}" for kind, step in metrics.alarms.items())
    note = f"Alarms: {alarms}." if alarms else "There was no alarm."
    svg = trends(f"rollouts-{metrics.model}", steps, panels, alt)
    return Figure(f"{metrics.model}: reward and truth", svg, keys if metrics.has_truth else (), note)


def _table(metrics: RolloutMetrics, audits: Sequence[StepAudit]) -> Table:
    count = metrics.audit_steps
    parts = {f"first {count} steps": audits[:count], f"last {count} steps": audits[-count:], "all steps": audits}
    suite = iteration_suite(metrics.model)

    def row(name: str, estimates: Sequence[Estimate], indented: bool = False, percent: bool = True) -> Row:
        return Row(name, tuple(_cell(one, percent) for one in estimates), indented)

    def counts(name: str, outcome: str) -> Row:
        values = [sum(getattr(one, name) for one in part) for part in parts.values()]
        every = link(suite=suite, outcome=outcome)
        return Row(outcome, tuple(Cell(f"{value:,}", href=every if value else "") for value in values), True)

    audited = (
        [
            row("judged right", [_judged_right(part) for part in parts.values()]),
            row("right by the checker", [_right(part) for part in parts.values()]),
            row("precision of the judge", [_precision(part) for part in parts.values()]),
            row("recall of the judge", [_recall(part) for part in parts.values()]),
            counts("true_positives", OUTCOMES[True, True]),
            counts("false_positives", OUTCOMES[True, False]),
            counts("true_negatives", OUTCOMES[False, False]),
            counts("false_negatives", OUTCOMES[False, True]),
            Row(
                "undecided by the checker",
                tuple(Cell(f"{sum(one.undecided for one in part):,}") for part in parts.values()),
                True,
            ),
        ]
        if metrics.has_truth
        else []
    )
    rows = [
        Row("answers", tuple(Cell(f"{sum(one.answers for one in part):,}") for part in parts.values())),
        row("mean reward", [_mean(part, "mean_reward") for part in parts.values()], percent=False),
        Row(
            "without a reward",
            tuple(
                Cell(_percent(_mean(part, "unread_share")), href=link(suite=suite, outcome=NO_REWARD))
                for part in parts.values()
            ),
            True,
        ),
        row("groups without spread", [_mean(part, "no_spread_share") for part in parts.values()], True),
        *audited,
        row("tokens of an answer", [_mean(part, "mean_tokens") for part in parts.values()], percent=False),
        row("cut at the token limit", [_mean(part, "cut_share") for part in parts.values()], True),
    ]
    return Table(f"{metrics.model} in numbers", tuple(parts), tuple(rows))


def _cell(one: Estimate, percent: bool) -> Cell:
    if isnan(one.value):
        return Cell("–")
    value, low, high = (f"{100 * x:.1f} %" if percent else f"{x:.2f}" for x in (one.value, one.low, one.high))
    return Cell(value, "" if isnan(one.low) else f"[{low}, {high}]")


def _percent(one: Estimate) -> str:
    return "–" if isnan(one.value) else f"{100 * one.value:.1f} %"


def _line(name: str, estimates: Iterable[Estimate], series: int) -> LineSeries:
    return LineSeries(name, tuple(Point(one.value, one.low, one.high, "") for one in estimates), series)


def _judged_right(audits: Sequence[StepAudit]) -> Estimate:
    return _rate(audits, [one.true_positives + one.false_positives for one in audits], _audited(audits))


def _right(audits: Sequence[StepAudit]) -> Estimate:
    return _rate(audits, [one.true_positives + one.false_negatives for one in audits], _audited(audits))


def _precision(audits: Sequence[StepAudit]) -> Estimate:
    judged = [one.true_positives + one.false_positives for one in audits]
    return _rate(audits, [one.true_positives for one in audits], judged)


def _recall(audits: Sequence[StepAudit]) -> Estimate:
    right = [one.true_positives + one.false_negatives for one in audits]
    return _rate(audits, [one.true_positives for one in audits], right)


def _audited(audits: Sequence[StepAudit]) -> list[int]:
    return [one.true_positives + one.false_positives + one.true_negatives + one.false_negatives for one in audits]


def _rate(audits: Sequence[StepAudit], tops: Sequence[int], bottoms: Sequence[int]) -> Estimate:
    """Return the rate of single answers, clustered by step."""
    values = np.concatenate(
        [np.repeat([1.0, 0.0], [top, bottom - top]) for top, bottom in zip(tops, bottoms, strict=True)]
    )
    return mean_interval(values, np.repeat([one.step for one in audits], bottoms))


def _mean(audits: Sequence[StepAudit], name: str) -> Estimate:
    """Return the mean of a value over steps, with the interval of that mean."""
    values = [value for one in audits if (value := getattr(one, name)) is not None]
    seen = ObservedRange((min(values, default=0.0), max(values, default=0.0)))
    return mean_interval(values, bounds=(0.0, 1.0) if name.endswith("_share") else seen)
