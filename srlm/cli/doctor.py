"""`srlm doctor`: what works on this machine, and the command that mends what does not."""

from typing import Annotated

import typer

from srlm.cli.options import DEFAULT_RUNS, Runs


def doctor(
    runs: Runs = DEFAULT_RUNS,
    load: Annotated[
        bool, typer.Option("--load/--no-load", help="Also load the packaged model and let it answer.")
    ] = False,
) -> None:
    """Say what works on this machine, and how to mend what does not. Exit code 2 if `srlm train` could not run."""
    from rich.markup import escape
    from rich.table import Table

    from srlm.console import stdout
    from srlm.doctor import run_checks

    checks = run_checks(runs, load=load)
    table = Table(show_header=True, box=None)
    for column in ("", "what", "found", "to mend it"):
        table.add_column(column, overflow="fold")
    marks = {"ok": "[green]ok[/green]", "missing": "[red]missing[/red]", "optional": "[yellow]optional[/yellow]"}
    for check in checks:
        table.add_row(marks[check.status], *map(escape, (check.name, check.detail, check.fix)))
    console = stdout()
    console.print(table)
    if any(check.status == "missing" for check in checks):
        console.print("srlm train cannot run here yet: see the last column.")
        raise typer.Exit(2)
    console.print("srlm train can run here.")
