"""Sections of the suites that score each model on its own: MT-Bench, reward model, lm-eval's tasks, checked prompts."""

from math import nan

from evals.compare.cells import format_estimate, row_label
from evals.metric import Metric, headlines
from evals.model_order import NAMES
from evals.report.charts.dots import Panel, dots
from evals.report.charts.lines import LineSeries, Point, Trend, trends
from evals.report.charts.radar import RadarSeries, radar
from evals.report.section import Cell, Facets, Figure, Row, Section, Table, metric_table
from evals.report.sections.common import (
    ABOUT_PAPER,
    Places,
    SuiteComparison,
    all_metrics,
    describe,
    legend_keys,
    metric_dot,
    suite_section,
)
from evals.sample import link

PAPER_METRICS = {
    "rm_pairwise": "Pairwise accuracy",
    "rm_five_best": "5-best",
    "rm_exact": "Exact match",
    "rm_spearman": "Spearman",
    "rm_kendall": "Kendall's tau",
}
"""The columns of the paper's Table 4."""


def mt_bench(one: SuiteComparison, places: Places) -> Section:
    """Return the section of grades by category."""
    models, metrics = one.comparison.models, one.comparison.metrics
    rows = [metric for metric in metrics if metric.category]
    facets: dict[str, Facets] = {row.key: {"category": row.category} for row in rows}
    facets |= {"mt_bench_turn_1": {"turn": "1"}, "mt_bench_turn_2": {"turn": "2"}}
    table = all_metrics(one, "Grades", facets)
    lead = "Two-turn questions, each answer graded 1-10 by the judge."
    if not any(metric.cells[model].estimate.n for metric in rows for model in models):
        lead = f"{lead} No answer has a grade that could be parsed."
        return suite_section(one, "mt-bench", "Two-turn questions", lead, [], [table])
    names = [row.label for row in rows]
    alt = f"Mean grade by category: {describe(rows, models)}"
    if len(rows) >= 3:
        series = [
            RadarSeries(
                model,
                tuple(row.cells[model].estimate.value for row in rows),
                tuple(link(suite=one.suite, model=model, category=row.category) for row in rows),
                places[model],
            )
            for model in models
        ]
        svg = radar("mt-bench", names, series, 10, alt)
    else:
        grades = [metric for metric in metrics if metric.unit == "grade"]
        panel = Panel(
            "grade, 1-10",
            tuple(tuple(metric_dot(one, row, m, places[m], facets.get(row.key)) for m in models) for row in grades),
            within=(0, 10),
        )
        svg = dots("mt-bench", [row.label for row in grades], [panel], alt)
    keys = legend_keys(models, places)
    figure = Figure("Grades by category", svg, keys, "From 0 in the middle to 10.", [table])
    return suite_section(one, "mt-bench", "Two-turn questions", lead, [figure])


def reward(one: SuiteComparison, places: Places) -> Section:
    """Return the section of each model as a judge of ranked answers, in the shape of the paper's Table 4."""
    models = one.comparison.models
    found = [metric for metric in one.comparison.metrics if metric.key in PAPER_METRICS]
    names = [PAPER_METRICS[metric.key] + (", %" if metric.unit == "%" else "") for metric in found]
    connected = sum(model in NAMES for model in models)
    panels = []
    for metric, name in zip(found, names, strict=True):
        series = [LineSeries("measured", _points(one, metric), 0, connected=connected)]
        if metric.paper is not None:
            paper = tuple(Point(metric.paper.values.get(model, nan), nan, nan, "") for model in models)
            series.insert(0, LineSeries("paper", paper, dashed=True))
        panels.append(Trend(name, tuple(series), metric.unit == "%"))
    rows = tuple(Row(model, tuple(_paper_cell(metric, model, one.suite) for metric in found)) for model in models)
    alt = f"Small panels over the models: {describe(found, models)}"
    dashed = f" Dashed: {ABOUT_PAPER}" if any(metric.paper for metric in found) else ""
    figure = Figure(
        "As judges of answers that people ranked",
        trends("reward", models, panels, alt),
        (),
        f"Lines: 95 % intervals.{dashed}",
        [Table("In the shape of the paper's Table 4", tuple(names), rows, "model"), all_metrics(one)],
    )
    lead = "How well each model, as a judge, orders answers as people did."
    return suite_section(one, "reward", "Reward-model metrics", lead, [figure])


def _points(one: SuiteComparison, metric: Metric) -> tuple[Point, ...]:
    """Return the point of each model, which leads to the model's samples."""
    estimates = [(model, metric.cells[model].estimate) for model in one.comparison.models]
    return tuple(Point(at.value, at.low, at.high, link(suite=one.suite, model=model)) for model, at in estimates)


def _paper_cell(metric: Metric, model: str, suite: str) -> Cell:
    paper = metric.paper.values.get(model) if metric.paper else None
    scale = 100 if metric.unit == "%" else 1
    below = "" if paper is None else f"paper {paper * scale:.4g}"
    return Cell(format_estimate(metric.cells[model].estimate, metric.unit), below, link(suite=suite, model=model))


def nlp(one: SuiteComparison, places: Places) -> Section:
    """Return the section of lm-eval's tasks, one row for each task."""
    compared = one.comparison
    heads = [metric for metric in headlines(compared.metrics) if metric.unit == "%"]
    facets: dict[str, Facets] = {metric.key: {"category": metric.category} for metric in compared.metrics}
    title = f"All metrics, with differences to {compared.baseline}"
    table = metric_table(title, compared.metrics, compared.models, compared.baseline, one.suite, facets)
    if not heads:
        return suite_section(one, "nlp", "NLP tasks", "", [], [table])
    panel = Panel(
        "correct, %",
        tuple(tuple(metric_dot(one, row, m, places[m], facets[row.key]) for m in compared.models) for row in heads),
        percent=True,
        within=(0, 100),
    )
    alt = "Share of correct items: " + describe(heads, compared.models)
    note = f"Grey strokes: {ABOUT_PAPER}" if any(row.paper for row in heads) else ""
    svg = dots("nlp", [row.label for row in heads], [panel], alt)
    figure = Figure("Knowledge retention", svg, legend_keys(compared.models, places), note, [table])
    return suite_section(one, "nlp", "NLP tasks", "Tasks of lm-eval, as their authors wrote them.", [figure])


def verifiable(one: SuiteComparison, places: Places) -> Section:
    """Return the section of instructions that a program checks: a curve over M1, M2, ..., or dots of other models."""
    models = one.comparison.models
    found = [metric for metric in headlines(one.comparison.metrics) if metric.unit == "%"]
    alt = describe(found, models)
    table, title = all_metrics(one), "Checked by a program"
    if (connected := sum(model in NAMES for model in models)) > 1:
        curves = [
            Trend(row_label(row), (LineSeries("checked", _points(one, row), connected=connected),), percent=True)
            for row in found
        ]
        figure = Figure(title, trends("verifiable", models, curves, alt), (), "Lines: 95 % intervals.", [table])
    else:
        panel = Panel(
            "%",
            tuple(tuple(metric_dot(one, row, m, places[m]) for m in models) for row in found),
            percent=True,
            within=(0, 100),
        )
        svg = dots("verifiable", [row.label for row in found], [panel], alt)
        figure = Figure(title, svg, legend_keys(models, places), "", [table])
    heading = "Instructions that a program checks"
    return suite_section(one, "verifiable", heading, "No judge is involved.", [figure])
