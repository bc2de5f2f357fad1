"""`srlm compare`: models side by side, with what is and what is not significant."""

from enum import StrEnum
from typing import Annotated

import typer

from srlm.cli.options import DEFAULT_RUNS, RunName, Runs


class Format(StrEnum):
    """How the comparison is printed."""

    table = "table"
    markdown = "markdown"
    csv = "csv"
    json = "json"


def compare(
    models: Annotated[list[str], typer.Argument(help="Models with results, such as M1 M2 M3.")],
    baseline: Annotated[
        str | None, typer.Option("--baseline", help="The model to compare with; the first, if not given.")
    ] = None,
    format: Annotated[Format, typer.Option("--format", help="How to print it.")] = Format.table,
    run: RunName = None,
    runs: Runs = DEFAULT_RUNS,
) -> None:
    """Compare models that were evaluated: win rate, length, reward-model figures, differences with paired tests."""
    from evals.comparison import compare_models
    from evals.rendering import as_csv, as_json, as_markdown, as_tables, side_tables
    from evals.results import load_results
    from srlm.display import stdout
    from srlm.runs import open_run

    comparison = compare_models(load_results(open_run(runs, run)), models, baseline or models[0])
    if format is not Format.table:
        printed = {Format.markdown: as_markdown, Format.csv: as_csv, Format.json: as_json}[format](comparison)
        typer.echo(printed.rstrip("\n"))
        return
    console = stdout()
    for table in as_tables(comparison, console.width):
        console.print(table)
    for caption in comparison.captions:
        console.print(caption, style="dim", markup=False)
    for side in comparison.sides:
        console.print()
        for table in side_tables(side, console.width):
            console.print(table)
        for caption in side.captions:
            console.print(caption, style="dim", markup=False)
    console.print()
    for line in comparison.words:
        console.print(f"- {line}", markup=False)
