"""Output of the scores of a file: table, sentences, JSON, with the judge card or the command that makes it."""

import json
from dataclasses import asdict
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING

from srlm.escape import one_line
from srlm.jsonl import without_nan
from srlm.judges.judge_card import JudgeCard
from srlm.judges.judge_card_output import print_histogram, table_cell
from srlm.judges.score_file import Summary
from srlm.stats.formatting import five_numbers_cell, number_cell, percent_cell
from srlm.types import SCHEMA

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def print_summary(
    console: "Console", summary: Summary, card: tuple[Path, JudgeCard] | None, measure: str, written: Path
) -> None:
    """Print the summary. `measure` is the command that makes the judge card, if there is none."""
    console.print(summary_table(summary))
    if summary.histogram:
        print_histogram(console, summary.histogram, summary.lowest)
    console.print()
    for line in summary_words(summary):
        console.print(f"- {one_line(line)}", markup=False)
    if card is not None and card[1].scores:
        caption = one_line(card[1].scores.caption(card[1].judge))
        console.print(f"- {caption} Judge card: {card[0]}", markup=False)
    else:
        line = f"- The reliability of this judge is unknown; measure it with: {measure}"
        console.print(line, soft_wrap=True, markup=False)
    console.print(f"\nScores and the judge's replies: {written}", soft_wrap=True, markup=False)


def summary_json(summary: Summary, card: tuple[Path, JudgeCard] | None, written: Path) -> str:
    """Return the summary as JSON, with the judge card or null."""
    data = {
        "schema": SCHEMA,
        "file": str(written),
        **without_nan(asdict(summary)),
        "words": summary_words(summary),
        "card": without_nan(asdict(card[1])) if card else None,
    }
    return json.dumps(data, ensure_ascii=False, indent=2)


def summary_table(summary: Summary) -> "Table":
    """Build the table of the summary."""
    from rich.table import Table

    table = Table(show_header=False)
    table.add_column("")
    table.add_column("", justify="right")
    table.add_row("answers", f"{summary.answers:,} to {summary.instructions:,} instructions")
    table.add_row("with a score", f"{summary.scored:,}")
    table.add_row("mean score", number_cell(summary.mean))
    if summary.five_numbers:
        table.add_row("lowest, quartiles, highest", five_numbers_cell(summary.five_numbers))
    table.add_row("parsed replies, %" if summary.histogram else "with a value, %", percent_cell(summary.parsed))
    table.add_row("failed calls, %", percent_cell(summary.failed))
    table.add_row(f"rank correlation of score and length, n = {summary.length.n}", number_cell(summary.length))
    if summary.histogram:
        table.add_row("answers with a suspected prompt injection", f"{summary.flagged:,}")
    for kind, count in summary.flags.items():
        table.add_row(table_cell(f"  by {kind}"), f"{count:,}")
    table.add_row("instructions with the same answer", f"{summary.constant:,}")
    return table


def summary_words(summary: Summary) -> list[str]:
    """Return the warnings about the scores, in sentences."""
    words: list[str] = []
    missing = summary.answers - summary.scored
    if missing:
        words.append(
            f"{missing:,} of {summary.answers:,} answers have no score. They do not count as 0 and are not in the mean."
        )
    if summary.vetoed:
        words.append(
            f"{summary.vetoed:,} of {summary.answers:,} answers are vetoed: a training never chooses them, whatever "
            "their score."
        )
    if summary.flagged:
        words.append(
            f"{summary.flagged:,} answers contain a suspected prompt injection, or only the beginning of an answer. "
            "Read them before you trust their scores."
        )
    if summary.constant * 2 > summary.instructions > 2:
        words.append(
            f"{summary.constant:,} of {summary.instructions:,} instructions have the same answer. It cannot help a "
            "reader, only influence the judge; such entries have topped leaderboards."
        )
    if not isnan(summary.length.low) and (summary.length.low > 0 or summary.length.high < 0):
        more = "higher" if summary.length.value > 0 else "lower"
        words.append(f"Longer answers score {more}: {number_cell(summary.length)} (rank correlation).")
    return words
