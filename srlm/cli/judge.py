"""`srlm judge FILE`: score the answers of a file. `srlm judge card SPEC`: measure the judge itself."""

from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from srlm.api.judging import DEFAULT_LEDGER
from srlm.cli.options import (
    DEFAULT_RUNS,
    MAX_ITEMS,
    MAX_SAMPLES,
    MAX_TEMPERATURE,
    MAX_TOKENS,
    Estimate,
    JudgeTokens,
    LeastMass,
    MaxConnections,
    MaxCost,
    RunName,
    Runs,
    Timeout,
    command,
    not_nan,
    print_estimate,
)

if TYPE_CHECKING:
    from srlm.api.results import MeasuredJudge, ScoredFile


class Scoring(StrEnum):
    """Ways to score an answer."""

    sampled = "sampled"
    expected = "expected"


class Format(StrEnum):
    """Formats of the output."""

    table = "table"
    json = "json"


Rubric = Annotated[
    str, typer.Option("--rubric", help="A packaged rubric (additive, brief, levels), or a Markdown file.")
]
HowScored = Annotated[
    Scoring,
    typer.Option(
        "--scoring",
        help="sampled: reasoning, then a score (the paper); expected: mean over the digits' probabilities, faster.",
    ),
]
Samples = Annotated[
    int,
    typer.Option(
        "--samples", min=1, max=MAX_SAMPLES, help="Verdicts for each answer, averaged; of sampled scoring only."
    ),
]
Temperature = Annotated[
    float | None,
    typer.Option(
        "--temperature",
        min=0,
        max=MAX_TEMPERATURE,
        callback=not_nan,
        help="Temperature of sampled verdicts; 0.7, if not given.",
    ),
]
TopP = Annotated[
    float | None,
    typer.Option("--top-p", min=0, max=1, callback=not_nan, help="Top-p of sampled verdicts; 0.9, if not given."),
]
MaxTokens = Annotated[
    int | None,
    typer.Option("--max-tokens", min=1, max=MAX_TOKENS, help="Tokens of a sampled verdict; 256, if not given."),
]
LedgerPath = Annotated[
    Path,
    typer.Option("--ledger", help="File of the calls, so that none is made twice; cards are stored next to it."),
]
PrintedAs = Annotated[Format, typer.Option("--format", help="How to print the result.")]


def judge(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="JSON or JSON Lines, also .gz: instruction + output, prompt + response, or messages."
        ),
    ],
    by: Annotated[
        str | None,
        typer.Option(
            "--judge",
            help="As for eval: smollm2, openai:NAME, M2, ...; or FILE.py:FUNCTION, a reward model, or a run file with "
            "reward (FILE.yaml). smollm2, if not given.",
        ),
    ] = None,
    rubric: Rubric = "additive",
    scoring: HowScored = Scoring.sampled,
    samples: Samples = 3,
    temperature: Temperature = None,
    top_p: TopP = None,
    max_tokens: MaxTokens = None,
    least_mass: LeastMass = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", help="File with a JSON line for each answer; FILE's name .judged.jsonl here, if not given."
        ),
    ] = None,
    ledger: LedgerPath = DEFAULT_LEDGER,
    format: PrintedAs = Format.table,
    max_connections: MaxConnections = None,
    timeout: Timeout = None,
    max_cost: MaxCost = None,
    estimate: Estimate = False,
    run: RunName = None,
    runs: Runs = DEFAULT_RUNS,
) -> None:
    """Score the answers of a file with an LLM judge. To measure the judge itself: srlm judge card SPEC.

    Writes the scores with the judge's words, and prints a summary. The same command resumes where it was stopped, and
    makes no call twice. A file called card is given as ./card.
    """
    from srlm import api
    from srlm.rewards.source import kind_of

    work = partial(
        api.judge,
        file,
        by,
        rubric=rubric,
        scoring=scoring.value,
        samples=samples,
        temperature=temperature,
        top_p=top_p,
        max_tokens=max_tokens,
        least_mass=least_mass,
        output=output,
        ledger=ledger,
        run=run,
        runs=runs,
        max_connections=max_connections,
        timeout=timeout,
        max_cost=max_cost,
    )
    if estimate:
        print_estimate(work)
        return
    scored = work()
    if kind_of(scored.answers[0].rubric if scored.answers else ""):
        _print_scores(scored, command("srlm", "judge", "card", scored.judge), format)
        return
    often = f" --samples {samples}" if scoring is Scoring.sampled else ""
    measure = f"{command('srlm', 'judge', 'card', scored.judge, '--rubric', rubric)} --scoring {scoring.value}{often}"
    _print_scores(scored, measure, format)


def _print_scores(scored: "ScoredFile", measure: str, format: Format) -> None:
    """Print the summary; `measure` is the command that makes the judge's card."""
    from srlm.console import say_data, stdout
    from srlm.judges.score_file_output import print_summary, summary_json

    if format is Format.json:
        say_data(summary_json(scored.summary, scored.card, scored.path))
    else:
        print_summary(stdout(), scored.summary, scored.card, measure, scored.path)


def card(
    spec: Annotated[
        str,
        typer.Argument(
            metavar="SPEC",
            help="smollm2, a folder, hf:NAME, openai:NAME[@ADDRESS], a run's name (M2), FILE.py:FUNCTION, or a run "
            "file with reward (FILE.yaml).",
        ),
    ],
    pairs: Annotated[
        Path | None,
        typer.Option(
            "--pairs",
            help="Labelled pairs: a file, or a folder of subsets (docs/explain/judges.md); our own by default.",
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option("--limit", min=1, max=MAX_ITEMS, help="Use at most so many pairs, spread over instructions."),
    ] = None,
    rubric: Rubric = "additive",
    scoring: HowScored = Scoring.sampled,
    samples: Samples = 3,
    temperature: Temperature = None,
    top_p: TopP = None,
    max_tokens: MaxTokens = None,
    judge_tokens: JudgeTokens = None,
    least_mass: LeastMass = None,
    ledger: LedgerPath = DEFAULT_LEDGER,
    format: PrintedAs = Format.table,
    max_connections: MaxConnections = None,
    timeout: Timeout = None,
    max_cost: MaxCost = None,
    estimate: Estimate = False,
    run: RunName = None,
    runs: Runs = DEFAULT_RUNS,
) -> None:
    """Measure a judge on labelled pairs, compared with chance.

    The card has its agreement with people, position and length bias, the share of its replies that cannot be read, time
    and cost. It is stored, and `srlm judge FILE` shows it with scores that the same judge gave in the same way.
    """
    from srlm import api

    work = partial(
        api.judge_card,
        spec,
        pairs=pairs,
        limit=limit,
        rubric=rubric,
        scoring=scoring.value,
        samples=samples,
        temperature=temperature,
        top_p=top_p,
        max_tokens=max_tokens,
        judge_tokens=judge_tokens,
        least_mass=least_mass,
        ledger=ledger,
        run=run,
        runs=runs,
        max_connections=max_connections,
        timeout=timeout,
        max_cost=max_cost,
    )
    if estimate:
        print_estimate(work)
    else:
        _print_card(work(), format)


def _print_card(measured: "MeasuredJudge", format: Format) -> None:
    from srlm.console import say_data, stdout
    from srlm.judges.judge_card_output import card_json, print_card

    if format is Format.json:
        say_data(card_json(measured.card, measured.path))
    else:
        print_card(stdout(), measured.card, measured.path)
