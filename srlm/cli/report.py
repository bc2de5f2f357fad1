"""`srlm report`: a run as one page."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from srlm.cli.options import DEFAULT_RUNS, Runs
from srlm.console import say


class Reference(StrEnum):
    """Whose figures can stand beside ours."""

    paper = "paper"


def report(
    run: Annotated[
        str | None, typer.Argument(metavar="[RUN]", help="The run; the one touched last, if not given.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="FILE", help="Where the page goes; report.html in the run.")
    ] = None,
    baseline: Annotated[
        str | None, typer.Option("--baseline", help="The model to compare with; SFT, else M1, if not given.")
    ] = None,
    reference: Annotated[
        Reference | None,
        typer.Option("--reference", help="Put what the self-rewarding paper printed beside models of its names."),
    ] = None,
    no_map: Annotated[
        bool,
        typer.Option(
            "--no-map", help="Leave out the map of texts: a model of the run reads them, once, up to 512 tokens each."
        ),
    ] = False,
    runs: Runs = DEFAULT_RUNS,
) -> None:
    """Write a run as one HTML page: figures, and below each the prompts, answers and verdicts that it came from."""
    from evals.report.page import write_report
    from srlm.atomic_files import is_stream, require_writable
    from srlm.console import Progress
    from srlm.runs import open_run

    home = open_run(runs, run)
    place = output or home.folder / "report.html"
    require_writable(place, "a report of srlm", lambda begins: 'name="generator" content="srlm ' in begins)
    try:
        written = write_report(
            home,
            place,
            Progress(),
            baseline=baseline,
            paper=reference is not None,
            mapped=not no_map,
        )
    finally:
        home.close()
    if is_stream(written):
        return
    say(f"{written} ({written.stat().st_size / 1e6:.1f} MB). Open it in a browser; it needs no network.")
