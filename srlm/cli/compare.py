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
    latex = "latex"
    html = "html"


class Reference(StrEnum):
    """Whose figures can stand beside ours."""

    paper = "paper"


class By(StrEnum):
    """What a prompt can be told apart by."""

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
            help="Put what the self-rewarding paper printed for SFT, M1, M2 and M3 beside models of these names.",
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
    run: RunName = None,
    runs: Runs = DEFAULT_RUNS,
) -> None:
    """Compare models that were evaluated: win rate, length, reward-model figures, differences with paired tests."""
    from evals.compare.breakdown import by_label
    from evals.compare.comparison import MUST_MATCH, compare_models
    from evals.compare.export.csv import as_csv
    from evals.compare.export.html import as_html
    from evals.compare.export.json import as_json
    from evals.compare.export.latex import as_latex
    from evals.compare.export.markdown import as_markdown
    from evals.compare.import_results import read_results, result_file
    from evals.compare.paper import add_paper_values
    from evals.compare.terminal import print_comparison
    from evals.labels.store import read_labels
    from evals.results import collect, merge
    from evals.suites import load_results
    from evals.suites.alpaca.files import read_difficulties
    from srlm.console import say, say_data, stdout
    from srlm.errors import UnknownName, UsageError
    from srlm.runs import open_run

    differing = [one.strip() for one in allow_mismatch.split(",") if one.strip()]
    for one in differing:
        if one not in MUST_MATCH:
            raise UnknownName("For --allow-mismatch, the word", one, MUST_MATCH)
    if labels is not None and by is None:
        raise UsageError("--labels goes with --by category, --by complexity or --by length.")
    files = {word: file for word in [*models, *([baseline] if baseline else [])] if (file := result_file(word))}
    imported = read_results([*files.values()])
    within = dict(zip(files, imported.models, strict=True))
    home = open_run(runs, run) if run is not None or any(word not in within for word in models) else None
    results = merge(load_results(home), imported.results) if home else collect(imported.results)
    names = [name for word in models for name in within.get(word, [word])]
    breakdown = by_label(home, by.value, read_labels(labels) if labels else None) if by else None
    comparison = compare_models(
        results,
        names,
        within.get(baseline, [baseline])[0] if baseline else names[0],
        differing,
        breakdown,
        [read_difficulties(alpaca_difficulties)] if alpaca_difficulties else (),
    )
    if by is not None and not any(side.baseline for side in comparison.extra_tables):
        raise UsageError(
            f"No prompt of these results has a label of this kind ({by}). A judge gives them: srlm label --judge SPEC. "
            "Or name a file of yours: --labels FILE"
        )
    if reference is not None:
        comparison = add_paper_values(comparison)
    if format is not Format.table:
        write = {
            Format.markdown: as_markdown,
            Format.csv: as_csv,
            Format.json: as_json,
            Format.latex: as_latex,
            Format.html: as_html,
        }
        text = write[format](comparison).rstrip("\n")
        (say_data if format is Format.json else say)(text)
        return
    print_comparison(stdout(), comparison)
