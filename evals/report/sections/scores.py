"""What is measured without an opponent: grades, judging, knowledge, instructions that a program checks."""

from collections.abc import Mapping
from math import nan

from evals.compare.cells import format_estimate
from evals.metric import Metric, headlines
from evals.model_order import NAMES
from evals.report.charts.dots import Panel, dots
from evals.report.charts.lines import Course, Point, Trend, trends
from evals.report.charts.radar import Round, radar
from evals.report.section import Cell, Facets, Figure, Row, Section, Table, metric_table
from evals.report.sections.common import ABOUT_PAPER, Told, all_figures, dot, keys, said, suite_section
from evals.sample import link


def mt_bench(one: Told, place: Mapping[str, int]) -> Section:
    """Grades by category, and the table."""
    models = one.comparison.models
    rows = [metric for metric in one.comparison.metrics if metric.category]
    facets: dict[str, Facets] = {row.key: {"category": row.category} for row in rows}
    facets |= {"mt_bench_turn_1": {"turn": "1"}, "mt_bench_turn_2": {"turn": "2"}}
    c = one.comparison
    table = metric_table(
        "Grades" + (f", with differences to {c.baseline}" if len(models) > 1 else ""),
        c.metrics,
        models,
        c.baseline,
        one.suite,
        facets,
    )
    lead = "Two-turn questions, each answer graded 1-10 by the judge."
    if not any(metric.cells[model].estimate.n for metric in rows for model in models):
        lead = f"{lead} No answer has a grade that could be read."
        return suite_section(one, "mt-bench", "Two-turn questions", lead, [], [table])
    names = [row.label for row in rows]
    alt = f"Mean grade by category: {said(rows, models)}"
    if len(rows) >= 3:
        rounds = [
            Round(
                model,
                tuple(row.cells[model].estimate.value for row in rows),
                tuple(link(suite=one.suite, model=model, category=name) for name in names),
                place[model],
            )
            for model in models
        ]
        drawn = radar("mt-bench", names, rounds, 10, alt)
    else:
        grades = [metric for metric in c.metrics if metric.unit == "grade"]
        panel = Panel(
            "grade, 1-10",
            tuple(tuple(dot(one, row, m, place[m], facets.get(row.key)) for m in models) for row in grades),
            within=(0, 10),
        )
        drawn = dots("mt-bench", [row.label for row in grades], [panel], alt)
    figure = Figure("Grades by category", drawn, keys(models, place), "From 0 in the middle to 10.", [table])
    return suite_section(one, "mt-bench", "Two-turn questions", lead, [figure])


PAPER_METRICS = {
    "rm_pairwise": "Pairwise accuracy",
    "rm_five_best": "5-best",
    "rm_exact": "Exact match",
    "rm_spearman": "Spearman",
    "rm_kendall": "Kendall's tau",
}


def reward(one: Told, place: Mapping[str, int]) -> Section:
    """Each model as a judge of ranked answers, in the shape of the paper's Table 4."""
    models = one.comparison.models
    found = [metric for metric in one.comparison.metrics if metric.key in PAPER_METRICS]
    joined = sum(model in NAMES for model in models)
    panels = []
    for metric in found:
        points = tuple(_point(metric, model, link(suite=one.suite, model=model)) for model in models)
        courses = [Course("measured", points, 0, joined=joined)]
        if metric.paper is not None:
            printed = tuple(Point(metric.paper.values.get(model, nan), nan, nan, "") for model in models)
            courses.insert(0, Course("paper", printed, dashed=True))
        panels.append(
            Trend(PAPER_METRICS[metric.key] + (", %" if metric.unit == "%" else ""), tuple(courses), metric.unit == "%")
        )
    rows = tuple(Row(model, tuple(_paper_cell(metric, model, one.suite) for metric in found)) for model in models)
    names = tuple(PAPER_METRICS[metric.key] + (", %" if metric.unit == "%" else "") for metric in found)
    alt = f"Small panels over the models: {said(found, models)}"
    dashed = f" Dashed: {ABOUT_PAPER}" if any(metric.paper for metric in found) else ""
    figure = Figure(
        "As judges of answers that people ranked",
        trends("reward", models, panels, alt),
        (),
        f"Lines: 95 % intervals.{dashed}",
        [Table("In the shape of the paper's Table 4", names, rows, "model"), all_figures(one)],
    )
    lead = "How well each model, as a judge, orders answers as people did."
    return suite_section(one, "reward", "Reward-model metrics", lead, [figure])


def _point(metric: Metric, model: str, href: str) -> Point:
    estimate = metric.cells[model].estimate
    return Point(estimate.value, estimate.low, estimate.high, href)


def _paper_cell(metric: Metric, model: str, suite: str) -> Cell:
    paper = metric.paper.values.get(model) if metric.paper else None
    scale = 100 if metric.unit == "%" else 1
    below = "" if paper is None else f"paper {paper * scale:.4g}"
    return Cell(format_estimate(metric.cells[model].estimate, metric.unit), below, link(suite=suite, model=model))


def nlp(one: Told, place: Mapping[str, int]) -> Section:
    """What the models kept of what they knew: one row a task."""
    models = one.comparison.models
    heads = [metric for metric in headlines(one.comparison.metrics) if metric.unit == "%"]
    facets: dict[str, Facets] = {metric.key: {"category": metric.category} for metric in one.comparison.metrics}
    c = one.comparison
    table = metric_table(
        f"All figures, with differences to {c.baseline}", c.metrics, models, c.baseline, one.suite, facets
    )
    if not heads:
        return suite_section(one, "nlp", "NLP tasks", "", [], [table])
    panel = Panel(
        "right, %",
        tuple(tuple(dot(one, row, m, place[m], facets[row.key]) for m in models) for row in heads),
        percent=True,
        within=(0, 100),
    )
    alt = "Share of items that are right: " + said(heads, models)
    note = f"Grey strokes: {ABOUT_PAPER}" if any(row.paper for row in heads) else ""
    figure = Figure(
        "What was kept", dots("nlp", [row.label for row in heads], [panel], alt), keys(models, place), note, [table]
    )
    return suite_section(
        one, "nlp", "NLP tasks: what was kept", "Tasks of lm-eval, as their authors wrote them.", [figure]
    )


def verifiable(one: Told, place: Mapping[str, int]) -> Section:
    """What a program could check."""
    models = one.comparison.models
    found = [metric for metric in headlines(one.comparison.metrics) if metric.unit == "%"]
    panel = Panel(
        "%", tuple(tuple(dot(one, row, m, place[m]) for m in models) for row in found), percent=True, within=(0, 100)
    )
    alt = said(found, models)
    drawn = dots("verifiable", [row.label for row in found], [panel], alt)
    figure = Figure("Checked by a program", drawn, keys(models, place), "", [all_figures(one)])
    return suite_section(one, "verifiable", "Instructions that a program checks", "No judge is involved.", [figure])
