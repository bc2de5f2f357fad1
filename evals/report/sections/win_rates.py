"""Win rates with the lengths beside them, and by what the prompts are (arXiv 2401.10020, Figures 4 and 11)."""

from collections.abc import Mapping, Sequence

from evals.compare.breakdown import group_prompts, has_labels, metric_breakdown, prompts_of, row_key
from evals.compare.cells import format_estimate
from evals.labels.store import By, load_labels
from evals.report.charts.dots import Panel, dots
from evals.report.section import Facets, Figure, Section, metric_table
from evals.report.sections.common import ABOUT_PAPER, Told, all_figures, dot, keys, named, suite_section
from evals.suites.alpaca.result import AlpacaResult
from evals.suites.head_to_head.result import HeadToHeadResult
from srlm.runs import Run


def win_rates(one: Told, place: Mapping[str, int]) -> Section:
    """Win rates against references, with intervals, and lengths beside them."""
    models = one.comparison.models
    rate, controlled, length = (named(one, key) for key in ("win_rate", "length_controlled_win_rate", "length"))
    panels: list[Panel] = []
    if rate is not None:
        rows = []
        for model in models:
            row = [dot(one, rate, model, place[model])]
            if controlled is not None:
                row.append(dot(one, controlled, model, place[model], hollow=True))
            rows.append(tuple(row))
        panels.append(Panel("win rate, %", tuple(rows), line=50, percent=True, within=(0, 100)))
    if length is not None:
        panels.append(
            Panel("mean length, characters", tuple((dot(one, length, model, place[model]),) for model in models))
        )
    alt = "Dots with intervals, one row a model: " + "; ".join(
        f"{model} {format_estimate(rate.cells[model].estimate, '%')} %" for model in models if rate is not None
    )
    note = "Filled: win rate; hollow: length-controlled; lines: 95 % intervals; dashed: as good as the references."
    drawn = dots("win-rates", models, panels, alt)
    paper = rate is not None and rate.paper is not None
    figure = Figure(
        "Win rate and length", drawn, (), f"{note} Grey strokes: {ABOUT_PAPER}" if paper else note, [all_figures(one)]
    )
    lead = "How often the judge prefers a model's answer to the reference, and how long the answers are."
    return suite_section(one, "win-rates", "Win rates", lead, [figure])


def broken(
    run: Run, one: Told, results: Sequence[AlpacaResult | HeadToHeadResult], place: Mapping[str, int]
) -> Section | None:
    """The suite's first figure by category, complexity and expected length (Figures 4 and 11)."""
    metric = one.comparison.metrics[0]
    labels = {
        k: v
        for digest in dict.fromkeys(r.provenance.prompts for r in results)
        for k, v in load_labels(run, digest).items()
    }
    prompts = prompts_of(metric)
    figures = []
    kinds: tuple[By, ...] = ("category", "complexity", "length")
    for by in kinds:
        if not has_labels(prompts, labels, by):
            continue
        side = metric_breakdown(metric, labels, by)
        facets: dict[str, Facets] = {
            row_key(metric, by, group): {
                by: sorted({(labels[p].value(by) if p in labels else None) or "no label" for p in group.prompts})
            }
            for group in group_prompts(prompts, labels, by)
        }
        rows = [row.label for row in side.metrics]
        panel = Panel(
            f"{metric.label}, %",
            tuple(
                tuple(dot(one, row, model, place[model], facets[row.key]) for model in side.columns)
                for row in side.metrics
            ),
            line=50,
            percent=True,
            within=(0, 100),
        )
        alt = f"{side.title}: dots with intervals, {len(rows)} rows, {', '.join(side.columns)} in each."
        table = metric_table("In numbers", side.metrics, side.columns, side.baseline, one.suite, facets)
        title = side.title[0].upper() + side.title[1:]
        drawn = dots(f"by-{by}", rows, [panel], alt)
        figures.append(Figure(title, drawn, keys(side.columns, place), " ".join(side.captions), [table]))
    if not figures:
        return None
    return Section("by-kind", "By kind of prompt", "Where a model gains and where it does not.", figures=figures)
