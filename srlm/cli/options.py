"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

Runs = Annotated[Path, typer.Option("--runs", help="Folder that holds the runs.", envvar="SRLM_RUNS")]
RunName = Annotated[str | None, typer.Option("--run", help="The run to use; the one touched last, if not given.")]

DEFAULT_RUNS = Path("results/runs")
