"""Sections of the suites that compare pairs of models: wins, ties and losses (arXiv 2401.10020, Figures 3 and 5)."""

from math import isnan

from evals.metric import ExtraTable
from evals.report.charts.bars import SplitBar, split_bars
from evals.report.section import Facets, Figure, LegendKey, Section, metric_table
from evals.report.sections.common import ABOUT_PAPER, Places, SuiteComparison, all_metrics, suite_section
from evals.sample import link

OUTCOMES = {"wins": "win", "ties": "tie", "losses": "loss"}
"""The rows of a table of pairs by the end of their keys, and the outcome of their samples."""


def head_to_head(one: SuiteComparison, places: Places) -> Section:
    """Return the section of the judge's wins, ties and losses for each pair of models (Figure 3)."""
    lead = "Who wins on how many prompts. A win needs both orders of presentation; where they disagree it is a tie."
    return _pairs(one, "head-to-head", "Head to head: wins, ties, losses", lead)


def human(one: SuiteComparison, places: Places) -> Section:
    """Return the section of human votes (Figure 5), with the agreement between people and with the judge."""
    lead = "Who wins by what more than half of a prompt's votes say; without such a majority it is a tie."
    return _pairs(one, "human", "People's votes", lead)


def _pairs(one: SuiteComparison, name: str, title: str, lead: str) -> Section:
    figures = [figure for table in one.comparison.extra_tables if (figure := _split_figure(one, table, name))]
    return suite_section(one, name, title, lead, figures, [all_metrics(one)])


def _split_figure(one: SuiteComparison, table: ExtraTable, name: str) -> Figure | None:
    of = {kind: row for row in table.metrics for kind in OUTCOMES if row.key.endswith(f"_{kind}")}
    if len(of) < len(OUTCOMES) or not table.pairs:
        return None
    rows = [of[kind] for kind in OUTCOMES]
    bars = []
    for column in table.columns:
        model, opponent = table.pairs[column]
        wins, ties, losses = (0.0 if isnan(value := row.cells[column].estimate.value) else value for row in rows)
        win, tie, loss = (
            link(suite=one.suite, model=model, opponent=opponent, outcome=word) for word in OUTCOMES.values()
        )
        values = [row.paper.values[column] for row in rows if row.paper is not None and column in row.paper.values]
        paper = (values[0], values[1], values[2]) if len(values) == len(rows) else None
        bars.append(SplitBar(f"{model} against {opponent}", (wins, ties, losses), (win, tie, loss), paper))
    facets: dict[str, Facets] = {of[kind].key: {"outcome": word} for kind, word in OUTCOMES.items()}
    alt = "Bars, one for each pair of models: " + "; ".join(
        f"{bar.name} {bar.counts[0]:g} wins, {bar.counts[1]:g} ties, {bar.counts[2]:g} losses" for bar in bars
    )
    return Figure(
        table.title,
        split_bars(f"{name}-splits", bars, alt, "voted on" if name == "human" else "judged in both orders"),
        [
            LegendKey("--win", "■", "the first wins"),
            LegendKey("--tie", "■", "tie"),
            LegendKey("--loss", "■", "the second wins"),
        ],
        f"Thin bars: {ABOUT_PAPER}" if any(bar.paper for bar in bars) else "",
        [metric_table(table.title, table.metrics, table.columns, None, one.suite, facets, table.pairs)],
    )
