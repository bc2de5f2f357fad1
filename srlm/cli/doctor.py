"""`srlm doctor`: what works on this machine, and the command that fixes what does not."""

from typing import Annotated

import typer

from srlm.cli.options import DEFAULT_RUNS, Runs
from srlm.errors import USAGE_EXIT


def doctor(
    runs: Runs = DEFAULT_RUNS,
    load: Annotated[
        bool, typer.Option("--load/--no-load", help="Also load the packaged model and let it answer.")
    ] = False,
) -> None:
    """Check what works on this machine, and how to fix the rest.

    Exit code 2 if `srlm train` cannot run.
    """
    from rich.markup import escape
    from rich.table import Table

    from srlm import api
    from srlm.console import stdout

    found = api.doctor(load=load, runs=runs)
    table = Table(show_header=True, box=None)
    for column in ("", "what", "found", "to fix it"):
        table.add_column(column, overflow="fold")
    marks = {"ok": "[green]ok[/green]", "missing": "[red]missing[/red]", "optional": "[yellow]optional[/yellow]"}
    for check in found.checks:
        table.add_row(marks[check.status], *map(escape, (check.name, check.detail, check.fix)))
    console = stdout()
    console.print(table)
    if not found.ready:
        console.print("srlm train cannot run here yet: see the last column.")
        raise typer.Exit(USAGE_EXIT)
    console.print("srlm train can run here.")
