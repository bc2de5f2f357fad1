"""`srlm compare`: metrics of several models, with tested differences."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from srlm.cli.options import DEFAULT_RUNS, AlpacaDifficulties, Prompts, Repeats, RunName, Runs


class Format(StrEnum):
    """Forms of a printed comparison."""

    table = "table"
    markdown = "markdown"
    csv = "csv"
    json = "json"
    latex = "latex"
    html = "html"


class Reference(StrEnum):
    """Sources of reported values to show next to ours."""

    paper = "paper"


class By(StrEnum):
    """Labels of prompts."""

    category = "category"
    complexity = "complexity"
    length = "length"


def compare(
    models: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL...",
            help="Models with results, such as M1 M2 M3; or results of other tools, as FILE or NAME=FILE: AlpacaEval's "
            "annotations.json, FastChat's model_judgment/*.jsonl, lm-eval's results_*.json.",
        ),
    ],
    baseline: Annotated[
        str | None, typer.Option("--baseline", help="The model to compare with; the first, if not given.")
    ] = None,
    format: Annotated[Format, typer.Option("--format", help="How to print it.")] = Format.table,
    allow_mismatch: Annotated[
        str,
        typer.Option(
            "--allow-mismatch",
            help="Compare although these differ: judge, rubric, prompts, sampling, dates, with commas.",
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
            help="Add the values that the self-rewarding paper reports for models of the names SFT, M1, M2, M3.",
        ),
    ] = None,
    chart: Annotated[
        bool, typer.Option("--chart", help="Also draw the first metric, below the table: each value in its interval.")
    ] = False,
    alpaca_difficulties: AlpacaDifficulties = None,
    prompts: Prompts = None,
    repeats: Repeats = None,
    run: RunName = None,
    runs: Runs = DEFAULT_RUNS,
) -> None:
    """Compare models that were evaluated, or other tools' files of results: differences with paired tests."""
    from evals.compare.export.csv import as_csv
    from evals.compare.export.html import as_html
    from evals.compare.export.json import as_json
    from evals.compare.export.latex import as_latex
    from evals.compare.export.markdown import as_markdown
    from evals.compare.terminal import print_comparison
    from srlm import api
    from srlm.console import say, say_data, stdout
    from srlm.errors import UsageError

    if chart and format is not Format.table:
        raise UsageError(f"--chart goes with --format table; {format.value} has the same values.")
    comparison = api.compare(
        models,
        baseline=baseline,
        run=run,
        runs=runs,
        by=None if by is None else by.value,
        labels=labels,
        allow_mismatch=[one.strip() for one in allow_mismatch.split(",") if one.strip()],
        reference=None if reference is None else "paper",
        prompts=prompts,
        repeats=None if repeats is None else repeats.value,
        alpaca_difficulties=alpaca_difficulties,
    )
    write = {
        Format.markdown: as_markdown,
        Format.csv: as_csv,
        Format.json: as_json,
        Format.latex: as_latex,
        Format.html: as_html,
    }
    if format is Format.table:
        print_comparison(stdout(), comparison, chart=chart)
    else:
        (say_data if format is Format.json else say)(write[format](comparison).rstrip("\n"))
