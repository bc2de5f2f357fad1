"""Output of a judge card: table, sentences, JSON."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING

from srlm.escape import one_line
from srlm.jsonl import without_nan
from srlm.judges.judge_card import WEAK, JudgeCard, Mass, Reliability, ScoreCard
from srlm.stats.formatting import five_numbers_cell, number_cell, percent, percent_cell
from srlm.stats.intervals import Estimate

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

BAR = 24
"""Width of the longest bar of a histogram, in characters."""
LONG = 12
"""Scales with more points are printed without the scores that do not occur."""
MANY = 0.9
"""Share of verdicts above which a bias of the judge gets a sentence."""


def print_card(console: "Console", card: JudgeCard, path: Path) -> None:
    """Print the card: table, histogram and sentences."""
    console.print(card_table(card))
    if card.scores and card.scores.histogram:
        print_histogram(console, card.scores.histogram, card.scores.lowest)
    console.print()
    for line in card_words(card):
        console.print(f"- {one_line(line)}", markup=False)
    console.print(f"\nJudge card: {path}", soft_wrap=True, markup=False)


def card_json(card: JudgeCard, path: Path) -> str:
    """Return the stored card as JSON, with its sentences and its file."""
    data = {**without_nan(asdict(card)), "words": card_words(card), "file": str(path)}
    return json.dumps(data, ensure_ascii=False, indent=2)


def card_table(card: JudgeCard) -> "Table":
    """Build the table of all metrics of a card: of the pairwise judge, and of its scores."""
    from rich.table import Table

    scores = card.scores
    table = Table(title=table_cell(f"Judge card of {card.judge}: rates in %, 95 % intervals"), title_justify="left")
    table.add_column("")
    if card.pairwise:
        table.add_column("pairs, both orders", justify="right")
    if scores:
        table.add_column(table_cell(f"scores, {scores.scoring}"), justify="right")

    def row(label: str, pairs: str, single: str = "-") -> None:
        table.add_row(table_cell(label), *([pairs] if card.pairwise else []), *([single] if scores else []))

    def rates(label: str, pairs: Estimate, single: Estimate | None) -> None:
        row(label, percent_cell(pairs), percent_cell(single))

    rates("agrees with the labels", card.agreement, scores.agreement if scores else None)
    for subset, estimate in card.subsets.items():
        rates(f"  on {subset}, n = {estimate.n}", estimate, scores.subsets.get(subset) if scores else None)
    if card.pairwise:
        row("same winner in both orders", percent_cell(card.consistency))
        row("prefers the answer shown first", percent_cell(card.first_position))
    rates("prefers the longer answer", card.length.preferred, scores.length.preferred if scores else None)
    rates("  the labelled answer is the longer", card.length.labelled, scores.length.labelled if scores else None)
    row("equal scores for both answers", "-", percent_cell(scores.ties if scores else None))
    one, two = card.reliability, scores.reliability if scores else Reliability()
    rates("parsed replies" if card.pairwise else "answers with a value", one.parsed, two.parsed)
    if scores and not isnan(scores.vetoed.value):
        row("vetoed answers", "-", percent_cell(scores.vetoed))
    _mass_rows(row, card)
    rates("failed calls", one.failed, two.failed)
    row("mean score", "-", number_cell(scores.mean) if scores else "-")
    if scores and scores.five_numbers:
        row("lowest, quartiles, highest", "-", five_numbers_cell(scores.five_numbers))
    row("engine seconds per 1,000 verdicts", number_cell(one.seconds), number_cell(two.seconds))
    row("US dollars per 1,000 verdicts", number_cell(one.cost), number_cell(two.cost))
    row("verdicts", f"{one.verdicts:,}", f"{two.verdicts:,}")
    return table


def _mass_rows(row: "Callable[[str, str, str], None]", card: JudgeCard) -> None:
    """Add the probability of the choices, if it is known for pairs or for scores."""
    masses = [card.mass, card.scores.mass if card.scores else Mass()]
    if all(one.median is None for one in masses):
        return
    median, least, below = (
        ["-" if one.median is None else f"{100 * one.median:.2g}" for one in masses],
        ["-" if one.least is None else f"{100 * one.least:g}" for one in masses],
        ["-" if one.median is None else percent_cell(one.below) for one in masses],
    )
    row("total probability of the choices, median", *median)
    row("  minimum for a parsed verdict", *least)
    row("  unparsed verdicts, below it", *below)


def table_cell(text: str) -> str:
    """Escape text for a cell of a rich table: on one line, without markup."""
    from rich.markup import escape

    return escape(one_line(text))


def print_histogram(console: "Console", counts: Sequence[int], lowest: int) -> None:
    """Print the counts of scores as bars."""
    console.print("\nAnswers by their mean score, rounded")
    for line in histogram_lines(counts, lowest):
        console.print(f"  {line}", markup=False)


def histogram_lines(counts: Sequence[int], lowest: int) -> list[str]:
    """Return a bar for each score: "3  ########  17"; on a long scale only for those that occur."""
    most, places = max(counts, default=0), len(str(lowest + len(counts) - 1))
    return [
        f"{lowest + place:>{places}}  {'#' * -(-BAR * count // most) if most else '':<{BAR}}  {count:,}"
        for place, count in enumerate(counts)
        if count or len(counts) <= LONG
    ]


def card_words(card: JudgeCard) -> list[str]:
    """Summarise the reliability of the judge in sentences: of pairs, then of single answers."""
    origin = f"{card.labelled or 'of unknown origin'}, {card.instructions:,} instructions"
    if not card.pairwise and card.scores:
        return _about_source(card.scores, f"On {card.pairs:,} labelled pairs ({origin})")
    words = [f"On {card.pairs:,} labelled pairs ({origin}): {_worth(card.agreement)}"]
    if card.first_position.value >= MANY or card.first_position.value <= 1 - MANY:
        place = "first" if card.first_position.value > 0.5 else "second"
        words.append(
            f"Strong position bias: it names the answer shown {place} in "
            f"{percent(card.first_position if place == 'first' else _opposite(card.first_position))} of its verdicts."
        )
    elif card.consistency.high < MANY:
        words.append(f"Only {percent(card.consistency)} of the pairs have the same winner in both orders.")
    if card.mass.words:
        words.append(f"On pairs, {card.mass.words}; --judge-tokens lets a judge behind a server reason first.")
    words += _about_length("On pairs", card.length.excess)
    if card.scores:
        words += _about_scores(card.scores)
    return words


def _about_source(scores: ScoreCard, where: str) -> list[str]:
    """Summarise a program, a reward model or a combination in sentences, with the rule that it must exceed."""
    words = [f"{where}, by the scores of a {scores.scoring}: {_worth(scores.agreement)}"]
    if not isnan(scores.length.labelled.value):
        words.append(
            f"The longer answer is the labelled one in {percent(scores.length.labelled)} of the pairs that it decides: "
            "a rule that only measures length agrees as often."
        )
    if scores.ties.value > 0:
        words.append(f"Both answers have the same score in {percent(scores.ties)} of the pairs, which count as half.")
    if scores.vetoed.value > 0:
        words.append(
            f"It vetoes {percent(scores.vetoed)} of the answers: a vetoed one loses against one that is not vetoed, "
            "and two are equal."
        )
    if scores.reliability.parsed.value < 1:
        words.append(
            f"It has a value for {percent(scores.reliability.parsed)} of the answers; pairs with another are left out."
        )
    return words + _about_length("In its scores", scores.length.excess)


def _about_scores(scores: ScoreCard) -> list[str]:
    words = [f"By its scores ({scores.scoring}): {_worth(scores.agreement)}"]
    if scores.ties.value > 0.5:
        words.append(f"Both answers have the same score in {percent(scores.ties)} of the pairs.")
    if scores.mass.words:
        words.append(f"In its scores, {scores.mass.words}; --scoring sampled lets it write its reasons first.")
    return words + _about_length("In its scores", scores.length.excess)


def _worth(agreement: Estimate) -> str:
    """Interpret an agreement with the labels in a sentence."""
    share = f"it agrees with the labels in {percent(agreement)}"
    if isnan(agreement.value):
        return "no verdict could be parsed, so its reliability is unknown."
    if isnan(agreement.low):
        return f"{share}; a single instruction gives no interval."
    if agreement.high < 0.5:
        return f"{share}, which is below chance: it prefers the answers that people find worse."
    if agreement.low <= 0.5:
        return f"{share}, which is not significantly different from chance."
    if agreement.low < WEAK:
        return f"{share}, above chance, but a weak judge: two people agree in 63 to 81 % of close cases."
    return f"{share}, about as often as two people agree, or more."


def _about_length(where: str, excess: Estimate) -> list[str]:
    if isnan(excess.low) or excess.low <= 0 <= excess.high:
        return []
    more, points = ("more", excess) if excess.value > 0 else ("less", _negative(excess))
    interval = f"{100 * points.value:.0f} points [{100 * points.low:.0f}, {100 * points.high:.0f}]"
    return [f"{where} it prefers the longer answer {more} often than the labels, by {interval}."]


def _negative(one: Estimate) -> Estimate:
    return Estimate(-one.value, -one.high, -one.low, one.n, one.clusters)


def _opposite(one: Estimate) -> Estimate:
    return Estimate(1 - one.value, 1 - one.high, 1 - one.low, one.n, one.clusters)
