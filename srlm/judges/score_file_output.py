"""The summary of a judged file as a table, in words, and as JSON, always with the judge's card or the way to one."""

import json
from dataclasses import asdict
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING

from srlm.escape import one_line
from srlm.jsonl import without_nan
from srlm.judges.judge_card import JudgeCard
from srlm.judges.judge_card_output import plain, print_histogram, share, shown
from srlm.judges.score_file import Summary
from srlm.types import SCHEMA

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def print_summary(
    console: "Console", summary: Summary, card: tuple[Path, JudgeCard] | None, measure: str, written: Path
) -> None:
    """The summary, for people. `measure` is the command that makes the card where there is none."""
    console.print(summary_table(summary))
    print_histogram(console, summary.histogram, summary.lowest)
    console.print()
    for line in summary_words(summary):
        console.print(f"- {one_line(line)}", markup=False)
    if card is not None and card[1].scores:
        caption = one_line(card[1].scores.caption(card[1].judge))
        console.print(f"- {caption} The whole card: {card[0]}", markup=False)
    else:
        console.print(f"- Nothing is known of this judge; measure it with: {measure}", soft_wrap=True, markup=False)
    console.print(f"\nScores and the judge's words are in {written}", soft_wrap=True, markup=False)


def summary_json(summary: Summary, card: tuple[Path, JudgeCard] | None, written: Path) -> str:
    """The summary with the card, null where there is none."""
    data = {
        "schema": SCHEMA,
        "file": str(written),
        **without_nan(asdict(summary)),
        "words": summary_words(summary),
        "card": without_nan(asdict(card[1])) if card else None,
    }
    return json.dumps(data, ensure_ascii=False, indent=2)


def summary_table(summary: Summary) -> "Table":
    """What the scores of a file look like."""
    from rich.table import Table

    table = Table(show_header=False)
    table.add_column("")
    table.add_column("", justify="right")
    table.add_row("answers", f"{summary.answers:,} to {summary.instructions:,} instructions")
    table.add_row("with a score", f"{summary.scored:,}")
    table.add_row("mean score", plain(summary.mean))
    table.add_row("replies that could be read, %", share(summary.parsed))
    table.add_row("calls that failed, %", share(summary.failed))
    table.add_row(f"score and length, rank correlation, n = {summary.length.n}", plain(summary.length))
    table.add_row("answers that speak to the judge", f"{summary.flagged:,}")
    for kind, count in summary.flags.items():
        table.add_row(shown(f"  by {kind}"), f"{count:,}")
    table.add_row("instructions with one and the same answer", f"{summary.constant:,}")
    return table


def summary_words(summary: Summary) -> list[str]:
    """What a reader of the scores must know, in sentences."""
    words: list[str] = []
    missing = summary.answers - summary.scored
    if missing:
        words.append(
            f"{missing:,} of {summary.answers:,} answers have no score; they are no zeros, and not in the mean."
        )
    if summary.flagged:
        words.append(
            f"{summary.flagged:,} answers hold text that speaks to the judge, or only begin to answer. Read them "
            "before you trust their scores."
        )
    if summary.constant * 2 > summary.instructions > 2:
        words.append(
            f"One and the same answer stands under {summary.constant:,} of {summary.instructions:,} instructions. It "
            "can serve no reader: it aims at the judge, and such entries have topped leaderboards."
        )
    if not isnan(summary.length.low) and (summary.length.low > 0 or summary.length.high < 0):
        more = "higher" if summary.length.value > 0 else "lower"
        words.append(f"Longer answers score {more}: {plain(summary.length)} (rank correlation).")
    return words
