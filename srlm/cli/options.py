"""Options that several commands share."""

import shlex
from math import isnan
from pathlib import Path
from typing import Annotated

import typer

LONGEST = 86_400
"""Seconds of a deadline, a day: more is no deadline, and infinity none that a clock could wait for."""
MOST_DOLLARS = 1_000_000_000
MOST_SAMPLES = 10_000
HOTTEST = 100
"""A temperature, above which all tokens are as likely as each other."""
MOST_TOKENS = 10_000_000
MOST_ITEMS = 10_000_000
"""Of what is drawn or asked: more is a slip of the hand, which would fill the memory before the first call."""


def a_number(value: float | None) -> float | None:
    """Refuse nan, which is neither below a least nor above a largest value."""
    if value is not None and isnan(value):
        raise typer.BadParameter("nan is no number.")
    return value


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
        callback=a_number,
        help="Seconds without any answer of a server after which the command stops; 300, if not given.",
    ),
]
MaxCost = Annotated[
    float | None,
    typer.Option(
        "--max-cost",
        min=0,
        max=MOST_DOLLARS,
        callback=a_number,
        help="Dollars that this command may spend; what is paid is kept.",
    ),
]
JudgeTokens = Annotated[
    int | None,
    typer.Option(
        "--judge-tokens",
        min=1,
        max=MOST_TOKENS,
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
        callback=a_number,
        help="The share of its probability that a judge must give its choices, else its verdict is not read; if not "
        "given, 0.01, and 0.001 for the digits of expected scores.",
    ),
]
Estimate = Annotated[
    bool, typer.Option("--estimate", help="Only say how many calls, tokens and dollars it would take.")
]


def command(*words: object) -> str:
    """A command to copy: each word is one word for a shell, whatever it holds."""
    return shlex.join(map(str, words))


DEFAULT_RUNS = Path("results/runs")
