"""A judge's card as a table, in words, and as JSON."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING

from srlm.escape import one_line
from srlm.jsonl import without_nan
from srlm.judges.judge_card import WEAK, JudgeCard, Mass, Reliability, ScoreCard, percent
from srlm.stats.intervals import Estimate

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

BAR = 24
"""Characters of the longest bar of a histogram."""
LONG = 12
"""Scales of more points are printed without those that never occur."""
MANY = 0.9
"""Above this share a habit of the judge is said in words."""


def print_card(console: "Console", card: JudgeCard, path: Path) -> None:
    """The whole card, for people."""
    console.print(card_table(card))
    if card.scores:
        print_histogram(console, card.scores.histogram, card.scores.lowest)
    console.print()
    for line in card_words(card):
        console.print(f"- {one_line(line)}", markup=False)
    console.print(f"\nThe card is in {path}", soft_wrap=True, markup=False)


def card_json(card: JudgeCard, path: Path) -> str:
    """What is stored, with the words, and the place."""
    data = {**without_nan(asdict(card)), "words": card_words(card), "file": str(path)}
    return json.dumps(data, ensure_ascii=False, indent=2)


def card_table(card: JudgeCard) -> "Table":
    """All figures of a card: those of the pairwise judge, and those of its scores."""
    from rich.table import Table

    scores = card.scores
    table = Table(title=shown(f"Card of the judge {card.judge}: shares in %, 95 % intervals"), title_justify="left")
    table.add_column("")
    table.add_column("pairs, both orders", justify="right")
    if scores:
        table.add_column(shown(f"scores, {scores.scoring}"), justify="right")

    def row(label: str, pairs: str, single: str = "-") -> None:
        table.add_row(shown(label), pairs, *([single] if scores else []))

    row("agrees with the labels", share(card.agreement), share(scores.agreement if scores else None))
    for subset, estimate in card.subsets.items():
        row(f"  on {subset}, n = {estimate.n}", share(estimate), share(scores.subsets.get(subset) if scores else None))
    row("same winner in both orders", share(card.consistency))
    row("prefers the answer shown first", share(card.first_position))
    row("prefers the longer answer", share(card.length.preferred), share(scores.length.preferred if scores else None))
    row(
        "  the labelled one is the longer",
        share(card.length.labelled),
        share(scores.length.labelled if scores else None),
    )
    row("equal scores for both answers", "-", share(scores.ties if scores else None))
    one, two = card.reliability, scores.reliability if scores else Reliability()
    row("replies that could be read", share(one.parsed), share(two.parsed))
    _mass_rows(row, card)
    row("calls that failed", share(one.failed), share(two.failed))
    row("mean score", "-", plain(scores.mean) if scores else "-")
    row("engine seconds per 1,000 verdicts", plain(one.seconds), plain(two.seconds))
    row("US dollars per 1,000 verdicts", plain(one.cost), plain(two.cost))
    row("verdicts", f"{one.verdicts:,}", f"{two.verdicts:,}")
    return table


def _mass_rows(row: "Callable[[str, str, str], None]", card: JudgeCard) -> None:
    """How probable the choices were, where that is known of either way to judge."""
    masses = [card.mass, card.scores.mass if card.scores else Mass()]
    if all(one.median is None for one in masses):
        return
    median, least, below = (
        ["-" if one.median is None else f"{100 * one.median:.2g}" for one in masses],
        ["-" if one.least is None else f"{100 * one.least:g}" for one in masses],
        ["-" if one.median is None else share(one.below) for one in masses],
    )
    row("probability of its choices together, median", *median)
    row("  the least with which a verdict is read", *least)
    row("  verdicts with less, not read", *below)


def shown(text: str) -> str:
    """A name for a cell of a rich table: on one line, and no markup."""
    from rich.markup import escape

    return escape(one_line(text))


def print_histogram(console: "Console", counts: Sequence[int], lowest: int) -> None:
    """The counts of scores as bars."""
    console.print("\nAnswers by their mean score, rounded")
    for line in histogram_lines(counts, lowest):
        console.print(f"  {line}", markup=False)


def histogram_lines(counts: Sequence[int], lowest: int) -> list[str]:
    """A bar for each whole score: "3  ########  17"; on a long scale, for those that occur."""
    most, places = max(counts, default=0), len(str(lowest + len(counts) - 1))
    return [
        f"{lowest + place:>{places}}  {'#' * -(-BAR * count // most) if most else '':<{BAR}}  {count:,}"
        for place, count in enumerate(counts)
        if count or len(counts) <= LONG
    ]


def card_words(card: JudgeCard) -> list[str]:
    """What the judge is worth, in sentences: of pairs, then of single answers."""
    origin = f"{card.labelled or 'of unknown origin'}, {card.instructions:,} instructions"
    words = [f"On {card.pairs:,} labelled pairs ({origin}): {_worth(card.agreement)}"]
    if card.first_position.value >= MANY or card.first_position.value <= 1 - MANY:
        place = "first" if card.first_position.value > 0.5 else "second"
        words.append(
            f"It goes by the position and hardly by the answers: it names the one shown {place} in "
            f"{percent(card.first_position if place == 'first' else _opposite(card.first_position))} of its verdicts."
        )
    elif card.consistency.high < MANY:
        words.append(f"Only {percent(card.consistency)} of the pairs keep their winner when the order is turned round.")
    if card.mass.words:
        words.append(f"Of two answers, {card.mass.words}; --judge-tokens lets a judge behind a server think first.")
    words += _about_length("Between two answers", card.length.excess)
    if card.scores:
        words += _about_scores(card.scores)
    return words


def _about_scores(scores: ScoreCard) -> list[str]:
    words = [f"By its scores ({scores.scoring}): {_worth(scores.agreement)}"]
    if scores.ties.value > 0.5:
        words.append(f"It gives both answers the same score in {percent(scores.ties)} of the pairs.")
    if scores.mass.words:
        words.append(f"By its digits, {scores.mass.words}; --scoring sampled lets it write before it scores.")
    return words + _about_length("In its scores", scores.length.excess)


def _worth(agreement: Estimate) -> str:
    """What an agreement with the labels says of a judge."""
    share = f"it agrees with the labels in {percent(agreement)}"
    if isnan(agreement.value):
        return "not one pair could be judged, so nothing is known of it."
    if isnan(agreement.low):
        return f"{share}; from one instruction nothing follows."
    if agreement.high < 0.5:
        return f"{share}, which is worse than a coin: it prefers what people find worse."
    if agreement.low <= 0.5:
        return f"{share}, which cannot be told from a coin."
    if agreement.low < WEAK:
        return f"{share}, better than a coin, but a weak judge: two people agree in 63 to 81 % of close cases."
    return f"{share}, about as often as two people agree with each other, or more."


def _about_length(where: str, excess: Estimate) -> list[str]:
    if isnan(excess.low) or excess.low <= 0 <= excess.high:
        return []
    more, points = ("more", excess) if excess.value > 0 else ("less", _negative(excess))
    figures = f"{100 * points.value:.0f} points [{100 * points.low:.0f}, {100 * points.high:.0f}]"
    return [f"{where} it prefers the longer one {more} often than the labels do, by {figures}."]


def _negative(one: Estimate) -> Estimate:
    return Estimate(-one.value, -one.high, -one.low, one.n, one.clusters)


def _opposite(one: Estimate) -> Estimate:
    return Estimate(1 - one.value, 1 - one.high, 1 - one.low, one.n, one.clusters)


def share(one: Estimate | None) -> str:
    """A rate for a column that is in percent."""
    if one is None or isnan(one.value):
        return "unknown"
    return percent(one).replace(" %", "")


def plain(one: Estimate) -> str:
    """A figure as it is, with its interval: "3.21 [2.90, 3.52]"."""
    if isnan(one.value):
        return "unknown"
    places = 0 if abs(one.value) >= 100 else 2
    if isnan(one.low):
        return f"{one.value:,.{places}f}"
    return f"{one.value:,.{places}f} [{one.low:,.{places}f}, {one.high:,.{places}f}]"
