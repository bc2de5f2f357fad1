"""`srlm judge FILE`: score the answers of a file. `srlm judge card SPEC`: how far that judge can be trusted."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from srlm.cli.models import done_with, named_model, wire_of
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
)

if TYPE_CHECKING:
    from srlm.engines.engine import Engine
    from srlm.judges.judge_card import JudgeCard
    from srlm.judges.pointwise import PointwiseJudge
    from srlm.judges.score_file import JudgedAnswer
    from srlm.ledger import Ledger


class Scoring(StrEnum):
    """The two ways to score."""

    sampled = "sampled"
    expected = "expected"


class Format(StrEnum):
    """How the result is printed."""

    table = "table"
    json = "json"


DEFAULT_LEDGER = Path("results/judge/ledger.sqlite")

Rubric = Annotated[str, typer.Option("--rubric", help="A rubric that ships with srlm, or a Markdown file of your own.")]
HowScored = Annotated[
    Scoring,
    typer.Option(
        "--scoring",
        help="sampled: words, then a score (the paper); expected: the mean over the digits' probabilities, far faster.",
    ),
]
Samples = Annotated[
    int, typer.Option("--samples", min=1, max=MAX_SAMPLES, help="Verdicts an answer, averaged; for sampled only.")
]
Temperature = Annotated[
    float | None,
    typer.Option(
        "--temperature", min=0, max=MAX_TEMPERATURE, callback=not_nan, help="Of sampled verdicts; 0.7, if not given."
    ),
]
TopP = Annotated[
    float | None,
    typer.Option("--top-p", min=0, max=1, callback=not_nan, help="Of sampled verdicts; 0.9, if not given."),
]
MaxTokens = Annotated[
    int | None, typer.Option("--max-tokens", min=1, max=MAX_TOKENS, help="Of a sampled verdict; 256, if not given.")
]
LedgerPath = Annotated[
    Path,
    typer.Option("--ledger", help="Where calls are kept, so that none is made twice; cards are kept beside it."),
]
PrintedAs = Annotated[Format, typer.Option("--format", help="How to print the result.")]


def judge(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="JSON or JSON Lines, also .gz: instruction + output, or prompt + response."
        ),
    ],
    by: Annotated[
        str | None, typer.Option("--judge", help="As for eval: smollm2, openai:NAME, M2, ...; smollm2, if not given.")
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
        typer.Option("--output", help="Where one JSON line an answer is written; FILE's name .judged.jsonl here."),
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

    Writes the scores with the judge's words, and prints what they look like. The same command goes on where it was
    stopped, and asks nothing twice.
    """
    from srlm.console import Progress, say_data, stdout
    from srlm.jsonl import write_records
    from srlm.judges.judge_card import find_judge_card
    from srlm.judges.measure_judge_card import scoring_description
    from srlm.judges.score_file import judge_answers, read_answers, refuse_other_file, summarise
    from srlm.judges.score_file_output import print_summary, summary_json
    from srlm.model_hub import PACKAGED

    scorer = _scorer(rubric, scoring, samples, temperature, top_p, max_tokens, least_mass)
    items = read_answers(file)
    target = output or Path(f"{_stem(file)}.judged.jsonl")
    progress = Progress()
    if by is None:
        progress.say("No --judge is given: the packaged 135M model judges. Its card says how far to trust it.")
    model = named_model(by or PACKAGED, run, runs, wire_of(max_connections, timeout, progress), max_cost)

    def work(
        engine: "Engine", calls: "Ledger", progress: Progress
    ) -> "tuple[list[JudgedAnswer], tuple[Path, JudgeCard] | None]":
        how = scorer.rubric.label, scoring_description(scorer)
        refuse_other_file(target, items, judge=engine.name, rubric=how[0], scoring=how[1])
        card = find_judge_card(ledger, engine.identity, *how)
        return judge_answers(scorer, engine, items, calls, progress), card

    done = done_with(work, model, ledger, estimate, progress)
    if done is None:
        return
    judged, card = done
    write_records(target, judged)
    summary = summarise(judged, scorer.rubric.scale)
    if format is Format.json:
        say_data(summary_json(summary, card, target))
        return
    often = f" --samples {samples}" if scoring is Scoring.sampled else ""
    measure = f"{command('srlm', 'judge', 'card', model.name, '--rubric', rubric)} --scoring {scoring.value}{often}"
    print_summary(stdout(), summary, card, measure, target)


def card(
    spec: Annotated[
        str,
        typer.Argument(metavar="SPEC", help="smollm2, a folder, hf:NAME, openai:NAME[@ADDRESS], or a run's name (M2)."),
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
    """Measure a judge on labelled pairs: is it better than a coin?

    Also: what sways it (position, length), what of its replies cannot be read, and what a thousand verdicts take. The
    card is stored, and `srlm judge FILE` shows it beside scores that the same judge gave in the same way.
    """
    from srlm.console import Progress, say_data, stdout
    from srlm.inference import Caller
    from srlm.judges.judge_card import store_card
    from srlm.judges.judge_card_output import card_json, print_card
    from srlm.judges.measure_judge_card import measure_judge_card
    from srlm.judges.pairwise import voting_of
    from srlm.judges.preference_data import load_labelled

    scorer = _scorer(rubric, scoring, samples, temperature, top_p, max_tokens, least_mass)
    labelled = load_labelled(pairs)
    progress = Progress()
    if labelled.skipped_message:
        progress.say(labelled.skipped_message)
    model = named_model(spec, run, runs, wire_of(max_connections, timeout, progress), max_cost)

    def work(engine: "Engine", calls: "Ledger", progress: Progress) -> "JudgeCard":
        return measure_judge_card(
            Caller(engine, calls, "judge/card", progress),
            labelled,
            limit=limit,
            pointwise=scorer,
            voting=voting_of(judge_tokens, least_mass),
        )

    found = done_with(work, model, ledger, estimate, progress)
    if found is None:
        return
    path = store_card(ledger, found)
    if format is Format.json:
        say_data(card_json(found, path))
        return
    print_card(stdout(), found, path)


def _scorer(
    rubric: str,
    scoring: Scoring,
    samples: int,
    temperature: float | None,
    top_p: float | None,
    max_tokens: int | None,
    least_mass: float | None,
) -> "PointwiseJudge":
    """The judge that the options describe; what is not given is as in a run's configuration."""
    from srlm.config.preferences import JudgeConfig
    from srlm.judges.pointwise import configured_judge

    given = {"temperature": temperature, "top_p": top_p, "max_tokens": max_tokens}
    changes = {name: value for name, value in given.items() if value is not None}
    config = JudgeConfig(rubric=rubric, scoring=scoring.value, samples=samples)
    mass = config.least_mass if least_mass is None else least_mass
    sampling = config.sampling.model_copy(update=changes)
    return configured_judge(config.model_copy(update={"sampling": sampling, "least_mass": mass}))


def _stem(file: Path) -> str:
    return file.name.removesuffix(".gz").removesuffix(".jsonl").removesuffix(".json")
