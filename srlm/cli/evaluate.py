"""`srlm eval`: run evaluation suites on models."""

from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from srlm.cli.models import contestant, wire_of
from srlm.cli.options import DEFAULT_RUNS, Deadline, Estimate, InFlight, MaxCost, RunName, Runs
from srlm.cli.recompute import Format, recompute_alpaca, recompute_mt_bench

if TYPE_CHECKING:
    from evals.contestants import Contestant
    from evals.results import Result
    from srlm.display import Progress
    from srlm.ledger import Ledger
    from srlm.runs import Run

    Work = Callable[[list[Contestant], Contestant, Run, Progress], Sequence[Result]]


class Suite(StrEnum):
    """The suites that there are."""

    alpaca = "alpaca"
    mt_bench = "mt-bench"
    reward = "reward"
    verifiable = "verifiable"


def evaluate(
    models: Annotated[
        list[str] | None,
        typer.Argument(help="Names in the run (M1), folders, hf:NAME, openai:NAME[@ADDRESS], anthropic:NAME."),
    ] = None,
    suite: Annotated[
        str, typer.Option("--suite", help="alpaca, mt-bench, reward, verifiable, or several with commas.")
    ] = "alpaca",
    judge: Annotated[
        str | None,
        typer.Option("--judge", help="Outside judge of alpaca and mt-bench; if not given, the packaged one."),
    ] = None,
    prompts: Annotated[
        Path | None,
        typer.Option(
            "--prompts",
            metavar="FILE",
            help="The baseline's model_outputs.json, for alpaca (our own, if not given); FastChat's question.jsonl, or "
            "its folder, for mt-bench.",
        ),
    ] = None,
    annotations: Annotated[
        Path | None,
        typer.Option(
            "--annotations",
            metavar="FILE",
            help="Ask nobody: win rates out of AlpacaEval's annotations.json; with --suite mt-bench, mean grades out "
            "of FastChat's judgements.",
        ),
    ] = None,
    gamed: Annotated[
        Path | None,
        typer.Option(
            "--gamed", metavar="FILE", help="AlpacaEval's df_gamed.csv, for its length control of --annotations."
        ),
    ] = None,
    format: Annotated[Format, typer.Option("--format", help="How to print the figures of --annotations.")] = (
        Format.table
    ),
    limit: Annotated[int | None, typer.Option("--limit", min=2, help="Use at most so many prompts.")] = None,
    max_tokens: Annotated[
        int | None,
        typer.Option(
            "--max-tokens",
            min=1,
            help="Tokens per answer; if not given, the run's in alpaca, 1024 in mt-bench, as FastChat has it, "
            "and 1280 in IFEval, as lm-eval has it.",
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            help="What verifiable asks: FILE or OWNER/NAME with IFEval's prompts, or puzzle. If not given, IFEval "
            "from the Hub, or puzzle in a run of the puzzle world.",
        ),
    ] = None,
    in_flight: InFlight = None,
    deadline: Deadline = None,
    max_cost: MaxCost = None,
    estimate: Estimate = False,
    run: RunName = None,
    runs: Runs = DEFAULT_RUNS,
) -> None:
    """Evaluate models: alpaca (win rate against references), reward (the model as a judge of ranked answers).

    mt-bench grades answers to FastChat's two-turn questions, which --prompts names.

    verifiable asks what a program can check, without a judge: IFEval, or the puzzles of the puzzle world.

    Answers and verdicts are kept in the run, and nothing is asked twice. What a server's calls will take is said
    before the first of them. With --annotations no model is named: the verdicts are somebody's, and no run is needed.
    """
    from srlm.errors import UsageError

    suites = _suites(suite)
    if annotations is not None:
        if models or judge or suites not in ([Suite.alpaca], [Suite.mt_bench]):
            raise UsageError(
                "--annotations goes with the suite alpaca or with mt-bench, without models and without --judge."
            )
        if suites == [Suite.alpaca]:
            recompute_alpaca(annotations, gamed, prompts, format)
            return
        if gamed is not None:
            raise UsageError("--gamed is of the suite alpaca; mt-bench has no length control.")
        recompute_mt_bench(annotations, prompts, format)
        return
    if gamed is not None or format is not Format.table:
        raise UsageError("--gamed and --format go with --annotations.")
    if prompts is not None and {Suite.alpaca, Suite.mt_bench} <= set(suites):
        raise UsageError("--prompts names the file of one suite: evaluate alpaca and mt-bench one after the other.")
    if not models:
        raise UsageError("Name at least one model, such as: srlm eval M1. Or give --annotations FILE.")
    from evals.results import AlpacaResult
    from srlm.assets import PACKAGED
    from srlm.display import Progress, stdout
    from srlm.engines.budget import Budget
    from srlm.runs import open_run

    home = open_run(runs, run)
    progress = Progress()
    budget = Budget(max_cost) if max_cost is not None else None
    wire = wire_of(in_flight, deadline, progress)
    try:
        contestants = [contestant(model, home, wire, budget) for model in models]
        judged = [one for one in suites if one in {Suite.alpaca, Suite.mt_bench}]
        if judged and judge is None:
            known = "Its card says how far to trust it." if Suite.alpaca in judged else "It is too small to be trusted."
            progress.say(f"No --judge is given: the packaged 135M model judges. {known}")
        named = contestant(judge or PACKAGED, home, wire, budget)
        prepare: dict[Suite, Callable[[], Work]] = {
            Suite.alpaca: lambda: _alpaca(home, prompts, limit, max_tokens),
            Suite.mt_bench: lambda: _mt_bench(prompts, limit, max_tokens),
            Suite.reward: lambda: _reward(home, limit),
            Suite.verifiable: lambda: _verifiable(home, data, limit, max_tokens),
        }
        work = [prepare[one]() for one in suites]
        cast = [*contestants, named] if judged else contestants
        if estimate or any(one.remote for one in cast):
            lines = _rehearse(work, contestants, named, home.ledger, only=estimate)
            if estimate:
                stdout().print("\n".join(lines), soft_wrap=True, markup=False)
                return
            progress.say("\n".join(lines))
        results = [result for each in work for result in each(contestants, named, home, progress)]
    finally:
        home.close()
    for card in dict.fromkeys(result.card.caption() for result in results if isinstance(result, AlpacaResult)):
        stdout().print(card, soft_wrap=True, markup=False)
    where = f"--runs {runs} --run {home.name}"
    stdout().print(
        f"Results are in {home.folder / 'evals'}. Next: srlm compare {' '.join(models)} {where}", soft_wrap=True
    )


def _suites(names: str) -> list[Suite]:
    """The suites that are named, in their own order."""
    from srlm.errors import UnknownName, UsageError

    given = [part.strip() for part in names.split(",") if part.strip()]
    for one in given:
        if one not in list(Suite):
            raise UnknownName("The suite", one, [known.value for known in Suite])
    if not given:
        raise UsageError(f"--suite names no suite. There are: {', '.join(Suite)}.")
    return [one for one in Suite if one in given]


def _rehearse(
    work: "list[Work]", contestants: "list[Contestant]", judge: "Contestant", ledger: "Ledger", *, only: bool
) -> list[str]:
    """What the command would ask, in lines for the user. Unless only they are wanted, every key must be there."""
    from evals.rehearsal import estimate, rehearsing
    from srlm.display import Progress

    with rehearsing(ledger) as rehearsal:
        for each in work:
            played = [rehearsal.play(one) for one in contestants]
            each(played, rehearsal.play(judge), rehearsal.run, Progress(quiet=True))
        if not only:
            rehearsal.require_keys()
        return estimate(rehearsal.expected.values())


def _alpaca(home: "Run", file: Path | None, limit: int | None, max_tokens: int | None) -> "Work":
    from evals.alpaca_files import read_outputs
    from evals.answering import choose_prompts
    from evals.suites.alpaca import prompts_of, run_alpaca
    from srlm.judges.labelled import load_labelled
    from srlm.seeds import evaluation_set
    from srlm.types import Sampling

    config = home.config.candidate_sampling
    sampling = Sampling(config.temperature, config.top_p, max_tokens or config.max_tokens)
    known = prompts_of(read_outputs(file)) if file else evaluation_set()
    prompts, labelled = choose_prompts(known, limit), load_labelled()
    return lambda contestants, judge, run, progress: run_alpaca(
        contestants, prompts, judge, labelled, sampling, run, progress
    )


def _mt_bench(file: Path | None, limit: int | None, max_tokens: int | None) -> "Work":
    from evals.conversing import choose_questions
    from evals.mt_bench_files import read_referenced_questions
    from evals.suites.mt_bench import run_mt_bench
    from srlm.errors import UsageError

    if file is None:
        raise UsageError(
            "The questions of MT-Bench are FastChat's and not part of srlm: give question.jsonl, with the folder "
            "reference_answer beside it, by --prompts FILE."
        )
    questions = choose_questions(read_referenced_questions(file), limit)
    return lambda contestants, judge, run, progress: run_mt_bench(
        contestants, questions, judge, max_tokens, run, progress
    )


def _reward(home: "Run", limit: int | None) -> "Work":
    from evals.suites.reward_model import run_reward_model
    from srlm.judges.pointwise import configured_judge
    from srlm.records import read_records
    from srlm.types import RankedPrompt

    ranked = read_records(home.path("seeds/validation"), RankedPrompt)[:limit]
    scorer = configured_judge(home.config.judge)
    return lambda contestants, _, run, progress: run_reward_model(contestants, ranked, scorer, run, progress)


def _verifiable(home: "Run", data: str | None, limit: int | None, max_tokens: int | None) -> "Work":
    from evals.exam import puzzle_exam
    from evals.ifeval import ifeval_exam
    from evals.suites.verifiable import run_verifiable
    from srlm.puzzle.world import PUZZLE, puzzle_seed

    own = PUZZLE if puzzle_seed(home.config.model) is not None else None
    place = data or own
    exam = puzzle_exam(limit) if place == PUZZLE else ifeval_exam(place, limit)
    return lambda contestants, _, run, progress: run_verifiable(contestants, exam, max_tokens, run, progress)
