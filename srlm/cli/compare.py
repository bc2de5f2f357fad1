"""`srlm compare`: models side by side, with what is and what is not significant."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from srlm.cli.options import DEFAULT_RUNS, RunName, Runs


class Format(StrEnum):
    """How the comparison is printed."""

    table = "table"
    markdown = "markdown"
    csv = "csv"
    json = "json"


class Reference(StrEnum):
    """Whose figures can stand beside ours."""

    paper = "paper"


class By(StrEnum):
    """What a prompt can be told apart by."""

    category = "category"
    complexity = "complexity"
    length = "length"


def compare(
    models: Annotated[list[str], typer.Argument(help="Models with results, such as M1 M2 M3.")],
    baseline: Annotated[
        str | None, typer.Option("--baseline", help="The model to compare with; the first, if not given.")
    ] = None,
    format: Annotated[Format, typer.Option("--format", help="How to print it.")] = Format.table,
    across: Annotated[
        str,
        typer.Option(
            "--across", help="In what the results may differ: judge, rubric, prompts, sampling, dates, with commas."
        ),
    ] = "",
    by: Annotated[
        By | None, typer.Option("--by", help="Also by what the prompts are: their category, complexity or length.")
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            "--labels", metavar="FILE", help="Labels for --by, as JSON Lines, in place of those that the run has."
        ),
    ] = None,
    reference: Annotated[
        Reference | None,
        typer.Option(
            "--reference",
            help="Put what the self-rewarding paper printed for SFT, M1, M2 and M3 beside models of these names.",
        ),
    ] = None,
    run: RunName = None,
    runs: Runs = DEFAULT_RUNS,
) -> None:
    """Compare models that were evaluated: win rate, length, reward-model figures, differences with paired tests."""
    from evals.beside import beside_paper
    from evals.breakdown import by_label
    from evals.comparison import ALIKE, compare_models
    from evals.labels import read_labels
    from evals.rendering import as_csv, as_json, as_markdown, print_comparison
    from evals.results import load_results
    from srlm.display import stdout
    from srlm.errors import UnknownName, UsageError
    from srlm.runs import open_run

    differing = [one.strip() for one in across.split(",") if one.strip()]
    for one in differing:
        if one not in ALIKE:
            raise UnknownName("For --across, the word", one, ALIKE)
    if labels is not None and by is None:
        raise UsageError("--labels goes with --by category, --by complexity or --by length.")
    home = open_run(runs, run)
    breakdown = by_label(home, by.value, read_labels(labels) if labels else None) if by else None
    comparison = compare_models(load_results(home), models, baseline or models[0], differing, breakdown)
    if by is not None and not any(side.baseline for side in comparison.sides):
        raise UsageError(
            f"No prompt of these results has a label of this kind ({by}). A judge gives them: srlm label --judge SPEC. "
            "Or name a file of yours: --labels FILE"
        )
    if reference is not None:
        comparison = beside_paper(comparison)
    if format is not Format.table:
        printed = {Format.markdown: as_markdown, Format.csv: as_csv, Format.json: as_json}[format](comparison)
        typer.echo(printed.rstrip("\n"))
        return
    print_comparison(stdout(), comparison)
