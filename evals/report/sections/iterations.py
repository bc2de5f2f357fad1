"""The monitor: what each iteration wrote, how it judged itself, and what it learned from (docs/explain/monitor.md)."""

from collections.abc import Sequence
from math import nan
from shlex import quote

from evals.metric import Metric
from evals.report.charts.bars import Histogram, histograms
from evals.report.charts.lines import Course, Point, Trend, trends
from evals.report.charts.svg import shape, variable
from evals.report.samples.training import LEARNED, MOST, READ, iteration, iterations
from evals.report.section import Cell, Figure, Key, Row, Section, Table, share
from evals.sample import link
from srlm.iteration_metrics import IterationMetrics, PositivesMetrics
from srlm.jsonl import parse_lines
from srlm.runs import Run

NOTHING = {"0", "–"}
"""Cells that nothing is behind."""
ID, TITLE = "iterations", "What each iteration learned from"


def healths(run: Run) -> list[IterationMetrics]:
    """The figures of the iterations that ended, in order."""
    found: list[IterationMetrics] = []
    for model in iterations(run):
        path = run.path(f"{model}/health")
        if path.exists():
            kind = PositivesMetrics if run.path(f"{model}/positives").exists() else IterationMetrics
            found += parse_lines(path, kind)
    return found


def iteration_section(run: Run, outside: Metric | None) -> Section:
    """Figures by iteration. `outside` is what a judge from outside says of the models, where one was asked."""
    found = healths(run)
    if not found:
        return Section(ID, TITLE, missing="No iteration has ended yet.", command=f"srlm train --name {quote(run.name)}")
    figures = [_course(found, outside), *([_scores(found)] if any(one.score_histogram for one in found) else [])]
    lead = (
        "M_t writes answers and judges them itself. Longer answers, a judge that gives everything one score, and "
        "worthless answers with the rewards of real ones go wrong first."
    )
    notes = [f"Of each iteration at most {MOST} instructions are among the samples below; srlm show ID has all."]
    return Section(ID, TITLE, lead, figures, [_table(found)], notes)


def _step(one: IterationMetrics) -> str:
    """The model that wrote, and the one that came of it."""
    return f"{_writer(one)} → {one.model}"


def _writer(one: IterationMetrics) -> str:
    return f"M{int(one.model[1:]) - 1}" if one.model[1:].isdigit() else one.model


def _points(values: Sequence[float | None], hrefs: Sequence[str]) -> tuple[Point, ...]:
    return tuple(
        Point(nan if value is None else value, nan, nan, href) for value, href in zip(values, hrefs, strict=True)
    )


def _course(found: Sequence[IterationMetrics], outside: Metric | None) -> Figure:
    suites = [iteration(one.model) for one in found]
    every = [link(suite=suite) for suite in suites]

    def panel(title: str, values: Sequence[float | None], hrefs: Sequence[str] = every, percent: bool = False) -> Trend:
        return Trend(title, (Course("all", _points(values, hrefs), 0),), percent)

    rewards = [Course("its own judge", _points([one.mean_reward for one in found], every), 0)]
    if any(one.frozen_reward is not None for one in found):
        rewards.append(Course("frozen judge", _points([one.frozen_reward for one in found], every), 1))
    if any(one.canary_reward is not None for one in found):
        worthless = [link(suite=suite, outcome="worthless on purpose") for suite in suites]
        rewards.append(Course("worthless answers", _points([one.canary_reward for one in found], worthless), 2))
    used = [link(suite=suite, fate=LEARNED) for suite in suites]
    panels = [
        panel("Mean length, characters", [one.mean_length for one in found]),
        Trend("Mean reward", tuple(rewards)),
        panel("Gave a pair, %", [one.pair_yield for one in found], used, percent=True),
        panel(
            "Verdicts read, %",
            [one.parse_rate for one in found],
            [link(suite=suite, outcome=READ) for suite in suites],
            percent=True,
        ),
        panel("Most common score, %", [one.one_score_share for one in found], percent=True),
    ]
    if outside is not None and any(_writer(one) in outside.cells for one in found):
        points = tuple(
            Point(cell.estimate.value, cell.estimate.low, cell.estimate.high, link(suite="alpaca", model=_writer(one)))
            if (cell := outside.cells.get(_writer(one)))
            else Point(nan, nan, nan, "")
            for one in found
        )
        panels.insert(2, Trend("Outside judge: win rate, %", (Course("outside", points, 3),), percent=True))
    alt = "Small panels over the iterations: " + "; ".join(
        f"{_step(one)}: {one.mean_length:.0f} characters, reward {one.mean_reward}, {share(one.pair_yield)} gave a pair"
        for one in found
    )
    drawn = trends("iterations", [_step(one) for one in found], panels, alt)
    keyed = [Key(variable(course.series), shape(course.series), course.name) for course in rewards]
    note = "Rewards in points of the rubric, with the judges in colours; the outside judge's win rate is the writer's."
    return Figure("Length, self-score and yield", drawn, keyed, note)


def _scores(found: Sequence[IterationMetrics]) -> Figure:
    charts = []
    for one in found:
        scores = [str(score) for score in range(one.highest + 1)]
        suite = iteration(one.model)
        charts.append(
            Histogram(
                _step(one),
                tuple(scores),
                tuple(one.score_histogram.get(score, 0) for score in scores),
                tuple(link(suite=suite, outcome=READ, score=score) for score in scores),
            )
        )
    alt = "Histograms of the verdicts: " + "; ".join(
        f"{one.title} {', '.join(f'{n} at {s}' for n, s in zip(one.counts, one.names, strict=True))}" for one in charts
    )
    return Figure(
        "Scores that M_t gave", histograms("scores", charts, alt, "score"), (), "Counts stand above the bars."
    )


def _table(found: Sequence[IterationMetrics]) -> Table:
    suites = [iteration(one.model) for one in found]

    def row(name: str, values: Sequence[str], deep: bool = False, **facets: str) -> Row:
        cells = (
            Cell(value, href="" if value in NOTHING else link(suite=suite, **facets))
            for value, suite in zip(values, suites, strict=True)
        )
        return Row(name, tuple(cells), deep)

    def number(value: float | None, form: str = ".2f") -> str:
        return "–" if value is None else f"{value:{form}}"

    dropped = dict.fromkeys(reason for one in found for reason in one.dropped)
    refused = dict.fromkeys(reason for one in found for reason in one.refused)
    kinds = dict.fromkeys(kind for one in found for kind in one.canary_rewards)
    rows = [
        row("new instructions", [str(one.instructions) for one in found]),
        *(row(f"refused: {reason}", [str(one.refused.get(reason, 0)) for one in found], True) for reason in refused),
        row("diversity, 0 to 1", [number(one.diversity) for one in found], True),
        row("overlap with the evaluation set", [str(len(one.contaminated)) for one in found], True),
        row("mean length, characters", [number(one.mean_length, ".0f") for one in found]),
        row("against the iteration before", [share(one.length_drift, signed=True) for one in found], True),
        row("cut at the token limit", [share(one.cut_share) for one in found], True),
        row("verdicts that could be read", [share(one.parse_rate) for one in found], outcome=READ),
        row("most common score", [share(one.one_score_share) for one in found], True),
        row("highest score", [share(one.top_share) for one in found], True),
        row("spread over the verdicts on one answer", [number(one.spread) for one in found], True),
        row("mean reward", [number(one.mean_reward) for one in found]),
        row("by the frozen judge", [number(one.frozen_reward) for one in found], True),
        row("above the frozen judge's", [number(one.self_excess, "+.2f") for one in found], True),
        row("of worthless answers", [number(one.canary_reward) for one in found], True, outcome="worthless on purpose"),
        *(
            row(
                f"canary: {kind}",
                [number(one.canary_rewards.get(kind)) for one in found],
                True,
                model=f"canary: {kind}",
            )
            for kind in kinds
        ),
        row("pairs", [str(one.pairs) for one in found], fate=LEARNED),
        *(
            row(f"no pair: {reason}", [str(one.dropped.get(reason, 0)) for one in found], True, fate=reason)
            for reason in dropped
        ),
        row(
            "chosen less rejected, characters",
            [number(one.length_gap, "+.0f") for one in found],
            True,
            outcome="chosen",
        ),
        row("chosen less rejected, points", [number(one.reward_gap, "+.2f") for one in found], True, outcome="chosen"),
    ]
    kept = [one for one in rows if any(cell.text != "–" for cell in one.cells)]
    return Table("The monitor in numbers", tuple(_step(one) for one in found), tuple(kept))
