"""Wins, ties and losses of pairs of models: the paper's Figure 3, and whatever else has such tables beside it."""

from collections.abc import Mapping
from math import isnan

from evals.metric import ExtraTable
from evals.report.charts.bars import Split, split_bars
from evals.report.section import Facets, Figure, Key, Section, metric_table
from evals.report.sections.common import ABOUT_PAPER, Told, all_figures, suite_section
from evals.sample import link

OUTCOMES = {"wins": "win", "ties": "tie", "losses": "loss"}
"""The rows of such a table by the end of their keys, and what samples call them."""


def head_to_head(one: Told, place: Mapping[str, int]) -> Section:
    """Wins, ties and losses of each pair of models by the judge (Figure 3 of the paper)."""
    lead = "Who wins on how many prompts. A win needs both orders of presentation; where they disagree it is a tie."
    return _pairs(one, "head-to-head", "Head to head: wins, ties, losses", lead)


def human(one: Told, place: Mapping[str, int]) -> Section:
    """The same by people (its Figure 5), with how far they agree with each other and with the judge."""
    lead = "Who wins by what more than half of a prompt's votes say; without such a majority it is a tie."
    return _pairs(one, "human", "People's votes", lead)


def _pairs(one: Told, name: str, title: str, lead: str) -> Section:
    figures = [figure for side in one.comparison.extra_tables if (figure := _splits(one, side, name))]
    return suite_section(one, name, title, lead, figures, [all_figures(one)])


def _splits(one: Told, side: ExtraTable, name: str) -> Figure | None:
    of = {kind: row for row in side.metrics for kind in ("wins", "ties", "losses") if row.key.endswith(f"_{kind}")}
    if len(of) < 3 or not side.pairs:
        return None
    rows = [of[kind] for kind in OUTCOMES]
    splits = []
    for column in side.columns:
        model, opponent = side.pairs[column]
        wins, ties, losses = (0.0 if isnan(value := row.cells[column].estimate.value) else value for row in rows)
        win, tie, loss = (
            link(suite=one.suite, model=model, opponent=opponent, outcome=word) for word in OUTCOMES.values()
        )
        printed = [row.paper.values[column] for row in rows if row.paper is not None and column in row.paper.values]
        name_of = f"{model} against {opponent}"
        beside = (printed[0], printed[1], printed[2]) if len(printed) == len(rows) else None
        splits.append(Split(name_of, (wins, ties, losses), (win, tie, loss), beside))
    facets: dict[str, Facets] = {of[kind].key: {"outcome": word} for kind, word in OUTCOMES.items()}
    alt = "Bars, one a pair of models: " + "; ".join(
        f"{split.name} {split.counts[0]:g} wins, {split.counts[1]:g} ties, {split.counts[2]:g} losses"
        for split in splits
    )
    return Figure(
        side.title,
        split_bars(f"{name}-splits", splits, alt, "voted on" if name == "human" else "judged in both orders"),
        [Key("--win", "■", "the first wins"), Key("--tie", "■", "tie"), Key("--loss", "■", "the second wins")],
        f"Thin bars: {ABOUT_PAPER}" if any(split.paper for split in splits) else "",
        [metric_table(side.title, side.metrics, side.columns, None, one.suite, facets, side.pairs)],
    )
