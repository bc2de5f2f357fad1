"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

LONGEST = 86_400
"""Seconds of a deadline, a day: more is no deadline, and infinity none that a clock could wait for."""
MOST_DOLLARS = 1_000_000_000
MOST_ITEMS = 10_000_000
"""Of what is drawn, labelled or asked: more is a slip of the hand, and would fill the memory before the first call."""

Runs = Annotated[Path, typer.Option("--runs", help="Folder that holds the runs.", envvar="SRLM_RUNS")]
RunName = Annotated[str | None, typer.Option("--run", help="The run to use; the one touched last, if not given.")]
InFlight = Annotated[
    int | None,
    typer.Option(
        "--in-flight", min=1, max=1000, help="Calls side by side, for models behind a server; 16, if not given."
    ),
]
Deadline = Annotated[
    float | None,
    typer.Option(
        "--deadline",
        min=1,
        max=LONGEST,
        help="Seconds without any answer of a server after which the command stops; 300, if not given.",
    ),
]
MaxCost = Annotated[
    float | None,
    typer.Option(
        "--max-cost", min=0, max=MOST_DOLLARS, help="Dollars that this command may spend; what is paid is kept."
    ),
]
Estimate = Annotated[
    bool, typer.Option("--estimate", help="Only say how many calls, tokens and dollars it would take.")
]

DEFAULT_RUNS = Path("results/runs")
