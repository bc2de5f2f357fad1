"""Options that several commands share."""

import shlex
from collections.abc import Callable
from enum import StrEnum
from math import isnan
from pathlib import Path
from typing import Annotated

import typer

from srlm.api import models

DEFAULT_RUNS = models.DEFAULT_RUNS

MAX_SECONDS = 86_400
"""Of a timeout, one day: a larger one is none, and no clock can wait for infinity."""
MAX_DOLLARS = 1_000_000_000
MAX_SAMPLES = 10_000
MAX_TEMPERATURE = 100
"""Above it all tokens are equally likely."""
MAX_TOKENS = 10_000_000
MAX_ITEMS = 10_000_000
"""Of what is sampled or asked: more is a typo, which would fill the memory before the first call."""


def not_nan(value: float | None) -> float | None:
    """Refuse nan, which is neither below a minimum nor above a maximum."""
    if value is not None and isnan(value):
        raise typer.BadParameter("nan is not a number.")
    return value


Runs = Annotated[Path, typer.Option("--runs", help="Folder of the runs.", envvar="SRLM_RUNS")]
RunName = Annotated[str | None, typer.Option("--run", help="Run to use; the one changed last, if not given.")]
MaxConnections = Annotated[
    int | None,
    typer.Option(
        "--max-connections",
        min=1,
        max=1000,
        help="Concurrent requests to a server; if not given, 16, and up to 256 to a vLLM server.",
    ),
]
Timeout = Annotated[
    float | None,
    typer.Option(
        "--timeout",
        min=1,
        max=MAX_SECONDS,
        callback=not_nan,
        help="Seconds without an answer of the server after which the command stops; 300, if not given.",
    ),
]
MaxCost = Annotated[
    float | None,
    typer.Option(
        "--max-cost",
        min=0,
        max=MAX_DOLLARS,
        callback=not_nan,
        help="Budget of this command in US dollars. Completed calls are kept.",
    ),
]
JudgeTokens = Annotated[
    int | None,
    typer.Option(
        "--judge-tokens",
        min=1,
        max=MAX_TOKENS,
        help="Tokens for a judge that reasons before it answers; it then names A or B in words. If not given, its next "
        "token decides.",
    ),
]
LeastMass = Annotated[
    float | None,
    typer.Option(
        "--least-mass",
        min=0,
        max=1,
        callback=not_nan,
        help="Least probability of the allowed answers together; with less a verdict counts as unread. If not given, "
        "0.01, and 0.001 for the digits of expected scores.",
    ),
]


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
        help="All prompts of the benchmark, in its order, for files of results that lack some: the baseline's "
        "model_outputs.json (or tatsu-lab/alpaca_eval), or FastChat's question.jsonl.",
    ),
]
Repeats = Annotated[
    RepeatRule | None,
    typer.Option(
        "--repeats",
        help="Read judgements that a file has several times, as FastChat writes them when it is run twice: their "
        "mean, the first or the last.",
    ),
]
AlpacaDifficulties = Annotated[
    Path | None,
    typer.Option(
        "--alpaca-difficulties",
        metavar="FILE",
        help="AlpacaEval's df_gamed.csv, for the length control of its leaderboard.",
    ),
]
Estimate = Annotated[bool, typer.Option("--estimate", help="Print the number of calls, tokens and the cost, and exit.")]


def command(*words: object) -> str:
    """Quote a command for a shell, so that a user can copy it."""
    return shlex.join(map(str, words))


def print_estimate(work: Callable[[], object]) -> None:
    """Print the calls, tokens and cost of a call of the Python API, without doing its work."""
    from srlm import api
    from srlm.console import stdout

    stdout().print(api.estimate(work), soft_wrap=True, markup=False)
