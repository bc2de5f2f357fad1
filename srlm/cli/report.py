"""`srlm report`: a run as one page."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from srlm.cli.options import DEFAULT_RUNS, AlpacaDifficulties, Prompts, Repeats, Runs
from srlm.console import say


class Reference(StrEnum):
    """Published values that can be shown next to ours."""

    paper = "paper"


def report(
    run: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RUN|FILE...]",
            help="The run; the one changed last, if not given. Or files of results, as srlm compare reads them.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", metavar="FILE", help="File of the page; report.html in the run, or here for files."),
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option("--baseline", help="Model to compare with; SFT, else M1, if not given; of files the first."),
    ] = None,
    reference: Annotated[
        Reference | None,
        typer.Option("--reference", help="Add the values of the self-rewarding paper to models of its names."),
    ] = None,
    no_map: Annotated[
        bool,
        typer.Option("--no-map", help="Leave out the map of texts, for which a model of the run reads them once."),
    ] = False,
    prompts: Prompts = None,
    repeats: Repeats = None,
    alpaca_difficulties: AlpacaDifficulties = None,
    runs: Runs = DEFAULT_RUNS,
) -> None:
    """Write a run as one HTML page.

    It has the metrics, and the prompts, answers and verdicts that they were computed from.
    """
    from srlm import api
    from srlm.atomic_files import is_stream

    written = api.report(
        run,
        output=output,
        baseline=baseline,
        reference=None if reference is None else "paper",
        text_map=not no_map,
        runs=runs,
        prompts=prompts,
        repeats=None if repeats is None else repeats.value,
        alpaca_difficulties=alpaca_difficulties,
    )
    if not is_stream(written):
        say(f"{written} ({written.stat().st_size / 1e6:.1f} MB). Open it in a browser; it needs no network.")
