"""A decision for the terminal: the outcome, a table of the rules, one of the judge checks, and the reasons."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from evals.gate.decision import Decision
from evals.gate.messages import CHECK_COLUMNS, COLUMNS, check_cells, headline, rule_text, sentences
from srlm.escape import one_line

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

WIDE = 100
"""Characters: on a narrower console the tables are left out, and the sentences have the same content."""

RIGHT = {"baseline", "candidate", "difference, 95 %", "bound", "must be", "prompts", "needed", "is, 95 %"}


def print_decision(console: "Console", decision: Decision) -> None:
    """Print the whole decision, the outcome first."""
    console.print(one_line(headline(decision)), soft_wrap=True, markup=False, style="bold")
    if console.width >= WIDE:
        console.print()
        console.print(_table(COLUMNS, [rule_text(one).cells for one in decision.results]))
        if decision.checks:
            console.print(_table(CHECK_COLUMNS, [check_cells(one) for one in decision.checks]))
    console.print()
    for line in sentences(decision):
        console.print(f"- {one_line(line)}", markup=False)


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> "Table":
    from rich.markup import escape
    from rich.table import Table

    table = Table()
    for column in columns:
        table.add_column(column, justify="right" if column in RIGHT else "left")
    for row in rows:
        table.add_row(*(escape(one_line(cell)) for cell in row))
    return table
