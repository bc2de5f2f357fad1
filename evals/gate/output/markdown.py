"""A decision as Markdown, for a pull request or a GitHub step summary."""

from collections.abc import Sequence
from pathlib import Path

from evals.gate.decision import Decision
from evals.gate.messages import CHECK_COLUMNS, COLUMNS, check_cells, headline, rule_text, sentences
from srlm.escape import markdown


def as_markdown(decision: Decision) -> str:
    """Return the outcome, the tables and the reasons. Names are escaped, so that they are no markup."""
    lines = [f"**{markdown(headline(decision))}**", ""]
    lines += _table(COLUMNS, [rule_text(one).cells for one in decision.results])
    if decision.checks:
        lines += ["", *_table(CHECK_COLUMNS, [check_cells(one) for one in decision.checks])]
    return "\n".join([*lines, "", *(f"- {markdown(line)}" for line in sentences(decision))])


def add_summary(path: Path, decision: Decision) -> None:
    """Append the Markdown to a file, as GitHub takes step summaries; create the file if it does not exist."""
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{as_markdown(decision)}\n\n")


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [f"| {' | '.join(columns)} |", "|" + "---|" * len(columns)]
    return lines + [f"| {' | '.join(map(markdown, row))} |" for row in rows]
