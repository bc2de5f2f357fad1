"""Sections of the win rates with lengths, and of their breakdown by labels (arXiv 2401.10020, Figures 4 and 11)."""

from collections.abc import Sequence

from evals.compare.breakdown import NO_LABEL, group_prompts, has_labels, metric_breakdown, prompts_of, row_key
from evals.compare.cells import format_estimate
from evals.labels.store import By, load_labels
from evals.report.charts.dots import Panel, dots
from evals.report.section import Facets, Figure, Section, metric_table
from evals.report.sections.common import (
    ABOUT_PAPER,
    Places,
    SuiteComparison,
    all_metrics,
    find_metric,
    legend_keys,
    metric_dot,
    suite_section,
)
from srlm.runs import Run


def win_rates(one: SuiteComparison, places: Places) -> Section:
    """Return the section of win rates against references, with the mean lengths."""
    models = one.comparison.models
    rate, controlled, length = (find_metric(one, key) for key in ("win_rate", "length_controlled_win_rate", "length"))
    panels: list[Panel] = []
    if rate is not None:
        rows = []
        for model in models:
            row = [metric_dot(one, rate, model, places[model])]
            if controlled is not None:
                row.append(metric_dot(one, controlled, model, places[model], hollow=True))
            rows.append(tuple(row))
        panels.append(Panel("win rate, %", tuple(rows), line=50, percent=True, within=(0, 100)))
    if length is not None:
        lengths = tuple((metric_dot(one, length, model, places[model]),) for model in models)
        panels.append(Panel("mean length, characters", lengths))
    alt = "Dots with intervals, one row for each model: " + "; ".join(
        f"{model} {format_estimate(rate.cells[model].estimate, '%')} %" for model in models if rate is not None
    )
    note = "Filled: win rate; hollow: length-controlled; lines: 95 % intervals; dashed: equal to the references."
    if rate is not None and rate.paper is not None:
        note += f" Grey strokes: {ABOUT_PAPER}"
    figure = Figure("Win rate and length", dots("win-rates", models, panels, alt), (), note, [all_metrics(one)])
    lead = "How often the judge prefers a model's answer to the reference, and how long the answers are."
    return suite_section(one, "win-rates", "Win rates", lead, [figure])


def breakdown_section(run: Run, one: SuiteComparison, digests: Sequence[str], places: Places) -> Section | None:
    """Return the breakdown of the suite's first metric by each kind of label; None if its prompts have no labels.

    `digests` are those of the prompt sets of its results.
    """
    metric = one.comparison.metrics[0]
    labels = {key: label for digest in dict.fromkeys(digests) for key, label in load_labels(run, digest).items()}
    prompts = prompts_of(metric)
    figures = []
    kinds: tuple[By, ...] = ("category", "complexity", "length")
    for by in kinds:
        if not has_labels(prompts, labels, by):
            continue
        table = metric_breakdown(metric, labels, by)
        facets: dict[str, Facets] = {
            row_key(metric, by, group): {
                by: sorted({(labels[p].value(by) if p in labels else None) or NO_LABEL for p in group.prompts})
            }
            for group in group_prompts(prompts, labels, by)
        }
        rows = [row.label for row in table.metrics]
        panel = Panel(
            f"{metric.label}, %",
            tuple(
                tuple(metric_dot(one, row, model, places[model], facets[row.key]) for model in table.columns)
                for row in table.metrics
            ),
            line=50,
            percent=True,
            within=(0, 100),
        )
        alt = f"{table.title}: dots with intervals, {len(rows)} rows, {', '.join(table.columns)} in each."
        values = metric_table("In numbers", table.metrics, table.columns, table.baseline, one.suite, facets)
        title = table.title[0].upper() + table.title[1:]
        svg = dots(f"by-{by}", rows, [panel], alt)
        figures.append(Figure(title, svg, legend_keys(table.columns, places), " ".join(table.captions), [values]))
    if not figures:
        return None
    return Section("by-kind", "By kind of prompt", "Where a model gains and where it does not.", figures=figures)
