"""`srlm ledger`: the calls of models with their tokens, time and cost; export and import of calls."""

import json
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from srlm.cli.options import DEFAULT_RUNS, RunName, Runs
from srlm.console import say, say_data

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from srlm.ledger import Ledger, LedgerRow

SCHEMA = 1
SMALLEST = 0.0001
"""US dollars; smaller amounts are printed as "< 0.0001"."""


class Format(StrEnum):
    """Formats of the output."""

    table = "table"
    json = "json"


def ledger(
    path: Annotated[
        Path | None, typer.Option("--ledger", metavar="FILE", help="A ledger file, in place of that of a run.")
    ] = None,
    format: Annotated[Format, typer.Option("--format", help="How to print it.")] = Format.table,
    export: Annotated[
        Path | None, typer.Option("--export", metavar="FILE", help="Write all answered calls to a JSON Lines file.")
    ] = None,
    take: Annotated[
        Path | None,
        typer.Option(
            "--import", metavar="FILE", help="Import calls that were exported; answers that the ledger has stay."
        ),
    ] = None,
    run: RunName = None,
    runs: Runs = DEFAULT_RUNS,
) -> None:
    """Show the calls of models: tokens, time, cost, failed attempts.

    With --export and --import a judged evaluation is replayed elsewhere without a key: the same srlm eval
    finds every answer in the ledger.
    """
    from srlm.errors import UsageError

    if export and take:
        raise UsageError("--export and --import are two steps: give one of them.")
    from srlm.atomic_files import is_stream, require_writable

    place = _place(path, run, runs, made=take is not None)
    if export and export.resolve() == place.resolve():
        raise UsageError("--export names the ledger itself. Name another file.")
    if take:
        _import(place, take)
        return
    if export:
        require_writable(export, "a file of exported calls", _is_exported)
    from srlm.ledger import Ledger

    opened = Ledger(place)
    try:
        if export:
            from srlm.ledger_export import export_calls

            count = export_calls(opened, export)
            if not is_stream(export):
                say(f"Exported {_counted(count)} to {export}.")
        else:
            _show(opened, format)
    finally:
        opened.close()


def _is_exported(begins: str) -> bool:
    return begins.startswith('{"key":"')


def _place(path: Path | None, run: str | None, runs: Path, *, made: bool) -> Path:
    """Return the file of the ledger. With `made` it need not exist yet."""
    from srlm.errors import DataError, UsageError
    from srlm.runs import open_run

    if path and run:
        raise UsageError("--ledger and --run name two ledgers: give one of them.")
    place = path or open_run(runs, run).folder / "ledger.sqlite"
    if not made and not place.exists():
        raise DataError(place, "there is no such file: no model was called here yet.")
    return place


def _import(place: Path, source: Path) -> None:
    from srlm.errors import DataError
    from srlm.ledger import Ledger
    from srlm.ledger_export import import_calls

    if not source.is_file():
        raise DataError(source, "there is no such file.")  # said before an empty ledger is made
    opened = Ledger(place)
    try:
        new, count = import_calls(opened, source)
    finally:
        opened.close()
    there = f"; {count - new:,} were there already and stay as they are" if new < count else ""
    say(f"Imported {_counted(new)} into {place}{there}.")


def _counted(calls: int) -> str:
    return f"{calls:,} call{'' if calls == 1 else 's'}"


def _show(opened: "Ledger", format: Format) -> None:
    from srlm.console import stdout
    from srlm.ledger import total
    from srlm.prices import prices_dated

    rows = opened.summary()
    whole = total(rows)
    prices = prices_dated()
    if format is Format.json:
        sums = {key: value for key, value in _as_json(whole).items() if key not in {"stage", "model"}}
        data = {"schema": SCHEMA, "prices": prices, "rows": [_as_json(row) for row in rows], "total": sums}
        say_data(json.dumps(data, ensure_ascii=False, indent=2))
        return
    console = stdout()
    console.print(_table(rows, whole))
    if whole.failures:
        console.print()
        console.print(_failures(rows))
    listed = f"from {prices}, as installed here" if prices else "not installed here (pip install genai-prices)"
    console.print(f"A call is priced when it is made. The price list is {listed}.", style="dim", markup=False)


def _as_json(row: "LedgerRow") -> dict[str, Any]:
    return {**asdict(row), "failed": row.failed}


def _table(rows: "Sequence[LedgerRow]", whole: "LedgerRow") -> "Table":
    from rich.markup import escape
    from rich.table import Table

    table = Table(show_footer=True)
    left = (("stage", "total"), ("model", ""))
    right = ("calls", "tokens in", "tokens out", "seconds", "dollars", "failed attempts")
    for header, footer in left:
        table.add_column(header, footer, overflow="fold")
    for header, footer in zip(right, _figures(whole), strict=True):
        table.add_column(header, footer, justify="right")
    for row in rows:
        table.add_row(escape(row.stage), escape(row.model), *_figures(row))
    return table


def _failures(rows: "Sequence[LedgerRow]") -> "Table":
    from rich.markup import escape
    from rich.table import Table

    table = Table("stage", "model", "why attempts failed")
    table.add_column("failed attempts", justify="right")
    for row in rows:
        for reason, count in row.failures.items():
            table.add_row(escape(row.stage), escape(row.model), escape(reason), f"{count:,}")
    return table


def _figures(row: "LedgerRow") -> list[str]:
    return [
        f"{row.calls:,}",
        f"{row.prompt_tokens:,}",
        f"{row.completion_tokens:,}",
        _known(None if row.seconds is None else f"{row.seconds:,.1f}", row.untimed),
        _known(None if row.cost is None else _dollars(row.cost), row.unpriced),
        f"{row.failed:,}",
    ]


def _known(amount: str | None, unknown: int) -> str:
    """Return a sum as text, with the number of calls whose amount is unknown: they never count as zero."""
    if amount is None:
        return "unknown" if unknown else "-"
    return f"{amount} + {_counted(unknown)} unknown" if unknown else amount


def _dollars(cost: float) -> str:
    return f"< {SMALLEST}" if 0 < cost < SMALLEST else f"{cost:,.4f}"
