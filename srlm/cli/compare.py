"""`srlm compare`: metrics of several models, with tested differences."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from srlm.cli.options import DEFAULT_RUNS, RunName, Runs


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


class RepeatRule(StrEnum):
    """Ways to read records that a file has several times."""

    mean = "mean"
    first = "first"
    last = "last"


Prompts = Annotated[
    str | None,
    typer.Option(
        "--prompts",
        metavar="FILE",
        help="Prompts of the benchmark of FILE, in their order: AlpacaEval's model_outputs.json of the baseline (or "
        "tatsu-lab/alpaca_eval), or FastChat's question.jsonl. Results that lack some are then known to.",
    ),
]
Repeats = Annotated[
    RepeatRule | None,
    typer.Option(
        "--repeats",
        help="Read judgements that FILE has several times, as FastChat writes them when it is run twice: their mean, "
        "the first or the last.",
    ),
]


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
    alpaca_difficulties: Annotated[
        Path | None,
        typer.Option(
            "--alpaca-difficulties",
            metavar="FILE",
            help="AlpacaEval's df_gamed.csv, for the length control of its leaderboard.",
        ),
    ] = None,
    prompts: Prompts = None,
    repeats: Repeats = None,
    run: RunName = None,
    runs: Runs = DEFAULT_RUNS,
) -> None:
    """Compare models that were evaluated, or other tools' files of results: differences with paired tests."""
    from evals.compare.compare import compare_sources, file_settings
    from evals.compare.export.csv import as_csv
    from evals.compare.export.html import as_html
    from evals.compare.export.json import as_json
    from evals.compare.export.latex import as_latex
    from evals.compare.export.markdown import as_markdown
    from evals.compare.terminal import print_comparison
    from srlm.console import say, say_data, stdout
    from srlm.runs import open_run

    comparison = compare_sources(
        models,
        lambda: open_run(runs, run),
        baseline=baseline,
        allow_mismatch=[one.strip() for one in allow_mismatch.split(",") if one.strip()],
        by=None if by is None else by.value,
        labels=labels,
        paper=reference is not None,
        settings=file_settings(prompts, None if repeats is None else repeats.value, alpaca_difficulties),
        with_run=run is not None,
    )
    write = {
        Format.markdown: as_markdown,
        Format.csv: as_csv,
        Format.json: as_json,
        Format.latex: as_latex,
        Format.html: as_html,
    }
    if format is Format.table:
        print_comparison(stdout(), comparison)
    else:
        (say_data if format is Format.json else say)(write[format](comparison).rstrip("\n"))
