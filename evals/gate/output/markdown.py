"""A decision as Markdown: what a pull request or a GitHub step summary shows."""

from collections.abc import Sequence
from pathlib import Path

from evals.gate.decision import Decision
from evals.gate.messages import CHECK_COLUMNS, COLUMNS, check_cells, finding_words, headline, sentences
from srlm.escape import markdown


def as_markdown(decision: Decision) -> str:
    """The outcome, the tables, and why. What comes from names of models and metrics is text, and no markup."""
    lines = [f"**{markdown(headline(decision))}**", ""]
    lines += _table(COLUMNS, [finding_words(one).cells for one in decision.findings])
    if decision.checks:
        lines += ["", *_table(CHECK_COLUMNS, [check_cells(one) for one in decision.checks])]
    return "\n".join([*lines, "", *(f"- {markdown(line)}" for line in sentences(decision))])


def add_summary(path: Path, decision: Decision) -> None:
    """Put the Markdown at the end of a file, as GitHub takes step summaries; one that is not there is made."""
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{as_markdown(decision)}\n\n")


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [f"| {' | '.join(columns)} |", "|" + "---|" * len(columns)]
    return lines + [f"| {' | '.join(map(markdown, row))} |" for row in rows]
