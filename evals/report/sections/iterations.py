"""Section of the training: metrics of each iteration, by the monitor of the loop (docs/explain/monitor.md)."""

from collections.abc import Sequence
from math import nan
from shlex import quote

from evals.metric import Metric
from evals.note import caption
from evals.report.charts.bars import Histogram, histograms
from evals.report.charts.lines import LineSeries, Point, Trend, trends
from evals.report.charts.svg import shape, variable
from evals.report.samples.training import (
    DEGENERATE,
    GAVE_PAIR,
    MOST,
    PARSED,
    degenerate_author,
    iteration_suite,
    iterations,
)
from evals.report.section import Cell, Figure, LegendKey, Row, Section, Table, share
from evals.sample import link
from srlm.config.rewards import JUDGE_ALONE, source_name
from srlm.iteration_metrics import IterationMetrics, PositivesMetrics
from srlm.jsonl import parse_lines
from srlm.runs import Run

EMPTY = {"0", "–"}
"""Cells without samples."""
ID, TITLE = "iterations", "Training, iteration by iteration"


def read_iteration_metrics(run: Run) -> list[IterationMetrics]:
    """Read the metrics of all finished iterations, in order."""
    found: list[IterationMetrics] = []
    for model in iterations(run):
        path = run.path(f"{model}/health")
        if path.exists():
            kind = PositivesMetrics if run.path(f"{model}/positives").exists() else IterationMetrics
            found += parse_lines(path, kind)
    return found


def iteration_section(run: Run, win_rates: Metric | None) -> Section:
    """Return the section of the iterations; `win_rates` are those by an outside judge, where there are any."""
    found = read_iteration_metrics(run)
    if not found:
        return Section(ID, TITLE, missing="No iteration has ended yet.", command=f"srlm train --name {quote(run.name)}")
    scaled = [one for one in found if one.highest is not None]
    figures = [
        _trends(found, win_rates),
        *([_histograms(scaled)] if any(one.score_histogram for one in scaled) else []),
    ]
    who = "judges them itself" if run.config.reward == JUDGE_ALONE else f"is rewarded by {_sources(run)}"
    lead = (
        f"M_t writes answers and {who}. The first signs of failure are longer answers, a judge that gives everything "
        "the same score, and degenerate answers with the rewards of real ones."
    )
    note = f"The samples below have at most {MOST} instructions of each iteration; srlm show ID has all."
    return Section(ID, TITLE, lead, figures, [_table(found)], [caption(note)])


def _sources(run: Run) -> str:
    """Return the sources of the reward, without the folders of a user's files and models."""
    return ", ".join(source_name(part.source) for part in run.config.reward)


def _step(one: IterationMetrics) -> str:
    """Return the model that wrote the answers, and the model that was trained on them."""
    return f"{_writer(one)} → {one.model}"


def _writer(one: IterationMetrics) -> str:
    return f"M{int(one.model[1:]) - 1}" if one.model[1:].isdigit() else one.model


def _points(values: Sequence[float | None], hrefs: Sequence[str]) -> tuple[Point, ...]:
    return tuple(
        Point(nan if value is None else value, nan, nan, href) for value, href in zip(values, hrefs, strict=True)
    )


def _trends(found: Sequence[IterationMetrics], win_rates: Metric | None) -> Figure:
    suites = [iteration_suite(one.model) for one in found]
    every = [link(suite=suite) for suite in suites]
    paired = [link(suite=suite, selection=GAVE_PAIR) for suite in suites]
    parsed = [link(suite=suite, outcome=PARSED) for suite in suites]

    def panel(title: str, values: Sequence[float | None], hrefs: Sequence[str], *, percent: bool = False) -> Trend:
        return Trend(title, (LineSeries("all", _points(values, hrefs), 0),), percent)

    by_rubric = found[0].highest is not None
    name = "its own judge" if by_rubric else "reward"
    rewards = [LineSeries(name, _points([one.mean_reward for one in found], every), 0)]
    if any(one.frozen_reward is not None for one in found):
        rewards.append(LineSeries("frozen judge", _points([one.frozen_reward for one in found], every), 1))
    if any(one.canary_reward is not None for one in found):
        degenerate = [link(suite=suite, outcome=DEGENERATE) for suite in suites]
        rewards.append(LineSeries("degenerate answers", _points([one.canary_reward for one in found], degenerate), 2))
    panels = [
        panel("Mean length, characters", [one.mean_length for one in found], every),
        Trend("Mean reward", tuple(rewards)),
        panel("Gave a pair, %", [one.pair_yield for one in found], paired, percent=True),
        panel("Parsed verdicts, %", [one.parse_rate for one in found], parsed, percent=True),
        panel("Most common score, %", [one.one_score_share for one in found], every, percent=True),
    ]
    if win_rates is not None and any(_writer(one) in win_rates.cells for one in found):
        outside = LineSeries("outside", tuple(_win_rate_point(win_rates, _writer(one)) for one in found), 3)
        panels.insert(2, Trend("Outside judge: win rate, %", (outside,), percent=True))
    alt = "Small panels over the iterations: " + "; ".join(
        f"{_step(one)}: {one.mean_length:.0f} characters, reward {one.mean_reward}, {share(one.pair_yield)} gave a pair"
        for one in found
    )
    svg = trends("iterations", [_step(one) for one in found], panels, alt)
    keys = [LegendKey(variable(one.series), shape(one.series), one.name) for one in rewards]
    unit = "points of the rubric" if by_rubric else "the units of the reward"
    note = (
        f"Rewards are in {unit}, with the judges in colours; the outside judge's win rate is that of the model that "
        "wrote the answers."
    )
    return Figure("Length, rewards and yield", svg, keys, note)


def _win_rate_point(win_rates: Metric, model: str) -> Point:
    cell = win_rates.cells.get(model)
    if cell is None:
        return Point(nan, nan, nan, "")
    estimate = cell.estimate
    return Point(estimate.value, estimate.low, estimate.high, link(suite="alpaca", model=model))


def _histograms(found: Sequence[IterationMetrics]) -> Figure:
    charts = []
    for one in found:
        scores = [str(score) for score in range((one.highest or 0) + 1)]
        suite = iteration_suite(one.model)
        charts.append(
            Histogram(
                _step(one),
                tuple(scores),
                tuple(one.score_histogram.get(score, 0) for score in scores),
                tuple(link(suite=suite, outcome=PARSED, score=score) for score in scores),
            )
        )
    alt = "Histograms of the verdicts: " + "; ".join(
        f"{one.title} {', '.join(f'{n} at {s}' for n, s in zip(one.counts, one.names, strict=True))}" for one in charts
    )
    return Figure("Scores by M_t", histograms("scores", charts, alt, "score"), (), "Counts are above the bars.")


def _table(found: Sequence[IterationMetrics]) -> Table:
    suites = [iteration_suite(one.model) for one in found]

    def row(name: str, values: Sequence[str], indented: bool = False, **facets: str) -> Row:
        cells = (
            Cell(value, href="" if value in EMPTY else link(suite=suite, **facets))
            for value, suite in zip(values, suites, strict=True)
        )
        return Row(name, tuple(cells), indented)

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
        row("change from the iteration before", [share(one.length_drift, signed=True) for one in found], True),
        row("cut at the token limit", [share(one.cut_share) for one in found], True),
        row("parsed verdicts", [share(one.parse_rate) for one in found], outcome=PARSED),
        row("most common score", [share(one.one_score_share) for one in found], True),
        row("highest score", [share(one.top_share) for one in found], True),
        row("spread of the verdicts on one answer", [number(one.spread) for one in found], True),
        *(
            row(f"reward, {name}", [number(one.quartiles and one.quartiles[place]) for one in found], True)
            for place, name in ((0, "lowest"), (2, "median"), (4, "highest"))
        ),
        row("vetoed", [str(one.vetoed) if one.vetoed else "–" for one in found], True),
        row("mean reward", [number(one.mean_reward) for one in found]),
        row("by the frozen judge", [number(one.frozen_reward) for one in found], True),
        row("above the frozen judge's", [number(one.self_excess, "+.2f") for one in found], True),
        row("of degenerate answers", [number(one.canary_reward) for one in found], True, outcome=DEGENERATE),
        *(
            row(
                degenerate_author(kind),
                [number(one.canary_rewards.get(kind)) for one in found],
                True,
                model=degenerate_author(kind),
            )
            for kind in kinds
        ),
        row("pairs", [str(one.pairs) for one in found], selection=GAVE_PAIR),
        *(
            row(f"no pair: {reason}", [str(one.dropped.get(reason, 0)) for one in found], True, selection=reason)
            for reason in dropped
        ),
        row(
            "chosen minus rejected, characters",
            [number(one.length_gap, "+.0f") for one in found],
            True,
            outcome="chosen",
        ),
        row("chosen minus rejected, points", [number(one.reward_gap, "+.2f") for one in found], True, outcome="chosen"),
    ]
    kept = [one for one in rows if any(cell.text != "–" for cell in one.cells)]
    return Table("The monitor in numbers", tuple(_step(one) for one in found), tuple(kept))
