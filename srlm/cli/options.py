"""Options that several commands share."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

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
        help="Seconds without any answer of a server after which the command stops; 300, if not given.",
    ),
]
MaxCost = Annotated[
    float | None, typer.Option("--max-cost", min=0, help="Dollars that this command may spend; what is paid is kept.")
]
JudgeTokens = Annotated[
    int | None,
    typer.Option(
        "--judge-tokens",
        min=1,
        help="Tokens for a judge that thinks before it answers: it then names A or B in words. If not given, its next "
        "token decides.",
    ),
]
LeastMass = Annotated[
    float | None,
    typer.Option(
        "--least-mass",
        min=0,
        max=1,
        help="The share of its probability that a judge must give its choices, else its verdict is not read; 0.01, if "
        "not given.",
    ),
]
Estimate = Annotated[
    bool, typer.Option("--estimate", help="Only say how many calls, tokens and dollars it would take.")
]


def command(*words: object) -> str:
    """A command to copy: each word is one word for a shell, whatever it holds."""
    return shlex.join(map(str, words))


DEFAULT_RUNS = Path("results/runs")
