"""`srlm eval`: run evaluation suites on models."""

import shlex
from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from srlm.cli.models import contestant, wire_of
from srlm.cli.options import DEFAULT_RUNS, Deadline, Estimate, InFlight, MaxCost, RunName, Runs
from srlm.cli.recompute import Format, recompute

if TYPE_CHECKING:
    from evals.contestants import Contestant
    from evals.results import Result
    from srlm.config import JudgeConfig
    from srlm.display import Progress
    from srlm.ledger import Ledger
    from srlm.runs import Run
    from srlm.types import Prompt, Sampling

    Work = Callable[[list[Contestant], Contestant, Run, Progress], Sequence[Result]]


EVALUATIONS = "evaluations"
"""The run of models that none trained."""


class Suite(StrEnum):
    """The suites that there are."""

    alpaca = "alpaca"
    head_to_head = "head-to-head"
    mt_bench = "mt-bench"
    nlp = "nlp"
    reward = "reward"
    verifiable = "verifiable"


def evaluate(
    models: Annotated[
        list[str] | None,
        typer.Argument(help="Names in the run (M1), folders, hf:NAME, openai:NAME[@ADDRESS], anthropic:NAME."),
    ] = None,
    suite: Annotated[
        str,
        typer.Option(
            "--suite", help="alpaca, head-to-head, mt-bench, nlp, reward, verifiable, or several with commas."
        ),
    ] = "alpaca",
    judge: Annotated[
        str | None,
        typer.Option(
            "--judge", help="Outside judge of alpaca, head-to-head and mt-bench; if not given, the packaged one."
        ),
    ] = None,
    prompts: Annotated[
        Path | None,
        typer.Option(
            "--prompts",
            metavar="FILE",
            help="The baseline's model_outputs.json, for alpaca and head-to-head (our own, if not given); FastChat's "
            "question.jsonl, or its folder, for mt-bench.",
        ),
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option("--baseline", help="In head-to-head, the model that the others meet; all pairs, if not given."),
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
    tasks: Annotated[
        str | None,
        typer.Option(
            "--tasks",
            help="Tasks, groups or tags of lm-eval for nlp, with commas; if not given, the paper's nine.",
        ),
    ] = None,
    batch_size: Annotated[
        int, typer.Option("--batch-size", min=1, help="Prompts side by side in nlp, as in lm-eval's command.")
    ] = 1,
    limit: Annotated[
        int | None, typer.Option("--limit", min=2, help="Use at most so many prompts; in nlp, of each task.")
    ] = None,
    max_tokens: Annotated[
        int | None,
        typer.Option(
            "--max-tokens",
            min=1,
            help="Tokens per answer; if not given, the run's in alpaca and head-to-head, 1024 in mt-bench, as FastChat "
            "has it, 1280 in IFEval, as lm-eval has it, and 1024 in countdown.",
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            help="What verifiable asks: FILE or OWNER/NAME with IFEval's prompts, countdown, or puzzle. If not given, "
            "IFEval from the Hub, or puzzle in a run of the puzzle world. For nlp, a FOLDER with a file for each task "
            "(and ifeval.jsonl); the Hub, if not given.",
        ),
    ] = None,
    ranked: Annotated[
        str | None,
        typer.Option(
            "--ranked",
            metavar="PLACE",
            help="Ranked answers for reward: what seeds.source takes, of which the part for validation is used; the "
            "run's own, if not given.",
        ),
    ] = None,
    rubric: Annotated[
        str | None,
        typer.Option("--rubric", help="For reward, in place of the run's: additive, levels, a file; several: commas."),
    ] = None,
    scoring: Annotated[
        str | None,
        typer.Option("--scoring", help="For reward, in place of the run's: sampled, expected, or both with a comma."),
    ] = None,
    in_flight: InFlight = None,
    deadline: Deadline = None,
    max_cost: MaxCost = None,
    estimate: Estimate = False,
    run: RunName = None,
    runs: Runs = DEFAULT_RUNS,
) -> None:
    """Evaluate models: alpaca (win rate against references), reward (the model as a judge of ranked answers).

    head-to-head sets the models' answers against each other, pair by pair: wins, ties, losses and Elo.

    mt-bench grades answers to FastChat's two-turn questions, which --prompts names.

    nlp asks lm-eval's tasks, without a judge: what a model knew before it was trained on preferences.

    verifiable asks what a program can check, without a judge: IFEval, countdown (make a number out of others), or the
    puzzles of the puzzle world.

    Answers and verdicts are kept in the run, and nothing is asked twice. What a server's calls will take is said
    before the first of them. With --annotations no model is named: the verdicts are somebody's, and no run is needed.
    """
    from srlm.errors import UsageError

    suites = _suites(suite)
    if annotations is not None:
        if models or judge:
            raise UsageError("--annotations goes without models and without --judge: the verdicts are somebody's.")
        recompute([one.value for one in suites], annotations, gamed, prompts, format)
        return
    if gamed is not None or format is not Format.table:
        raise UsageError("--gamed and --format go with --annotations.")
    if prompts is not None and Suite.mt_bench in suites and {Suite.alpaca, Suite.head_to_head} & set(suites):
        raise UsageError(
            "--prompts names the file of one suite: evaluate mt-bench and alpaca or head-to-head one after the other."
        )
    if tasks is not None and Suite.nlp not in suites:
        raise UsageError("--tasks names tasks of the suite nlp: add it to --suite.")
    if not models:
        raise UsageError("Name at least one model, such as: srlm eval M1. Or give --annotations FILE.")
    _may_meet(suites, models, baseline)
    from srlm.assets import PACKAGED
    from srlm.display import Progress, stdout
    from srlm.engines.budget import Budget

    progress = Progress()
    home = _home(runs, run, models, progress)
    budget = Budget(max_cost) if max_cost is not None else None
    wire = wire_of(in_flight, deadline, progress)
    try:
        contestants = [contestant(model, home, wire, budget) for model in models]
        judged = [one for one in suites if one in {Suite.alpaca, Suite.head_to_head, Suite.mt_bench}]
        if judged and judge is None:
            alone = judged == [Suite.mt_bench]
            known = "It is too small to be trusted." if alone else "Its card says how far to trust it."
            progress.say(f"No --judge is given: the packaged 135M model judges. {known}")
        named = contestant(judge or PACKAGED, home, wire, budget)
        prepare: dict[Suite, Callable[[], Work]] = {
            Suite.alpaca: lambda: _alpaca(home, prompts, limit, max_tokens),
            Suite.head_to_head: lambda: _head_to_head(home, prompts, baseline, limit, max_tokens),
            Suite.mt_bench: lambda: _mt_bench(prompts, limit, max_tokens),
            Suite.nlp: lambda: _nlp(contestants, tasks, _local_files(data, suites), limit, batch_size, progress),
            Suite.reward: lambda: _reward(home, limit, ranked, rubric, scoring),
            Suite.verifiable: lambda: _verifiable(home, data, limit, max_tokens),
        }
        work = {one: prepare[one]() for one in suites}
        cast = [*contestants, named] if judged else contestants
        if estimate or any(one.remote for one in cast):
            called = [each for one, each in work.items() if one is not Suite.nlp]  # which loads its models itself
            lines = _rehearse(called, contestants, named, home.ledger, only=estimate)
            if estimate:
                stdout().print("\n".join(lines), soft_wrap=True, markup=False)
                return
            progress.say("\n".join(lines))
        results = [result for each in work.values() for result in each(contestants, named, home, progress)]
    finally:
        home.close()
    _show(results)
    names = shlex.join(_names(results))
    stdout().print(
        f"Results are in {home.folder / 'evals'}. Next: srlm compare {names} --runs {runs} --run {home.name}",
        soft_wrap=True,
        markup=False,
    )


def _suites(names: str) -> list[Suite]:
    """The suites that are named, in their own order."""
    from srlm.errors import UnknownName, UsageError

    given = _named(names)
    for one in given:
        if one not in list(Suite):
            raise UnknownName("The suite", one, [known.value for known in Suite])
    if not given:
        raise UsageError(f"--suite names no suite. There are: {', '.join(Suite)}.")
    return [one for one in Suite if one in given]


def _home(runs: Path, name: str | None, models: list[str], progress: "Progress") -> "Run":
    """The run that results are kept in. Where there is none, models that need no run get one of their own."""
    from srlm.assets import is_model_name
    from srlm.config import TrainConfig
    from srlm.runs import open_run, start_run

    if any(runs.glob("*/run.yaml")) or not all(is_model_name(one) for one in models):
        return open_run(runs, name)
    home = start_run(runs, name or EVALUATIONS, TrainConfig(model=models[0]))
    progress.say(f"There is no run in {runs}: the results are kept in {home.folder}.")
    return home


def _named(names: str | None) -> list[str]:
    return [part.strip() for part in (names or "").split(",") if part.strip()]


def _may_meet(suites: list[Suite], models: list[str], baseline: str | None) -> None:
    """Refuse a head-to-head of one model, and a baseline that nobody can meet."""
    from srlm.errors import UnknownName, UsageError

    if Suite.head_to_head not in suites:
        if baseline is not None:
            raise UsageError("--baseline is of the suite head-to-head; srlm compare has its own.")
        return
    if len(set(models)) < 2:
        raise UsageError("head-to-head needs two models, such as: srlm eval M1 M2 --suite head-to-head")
    if baseline is not None and baseline not in models:
        raise UnknownName("Among the models to evaluate, the baseline", baseline, models)


def _show(results: "Sequence[Result]") -> None:
    """The pairs of a head-to-head, the judges' cards, and the ways of one judge side by side."""
    from evals.ablation import ablations
    from evals.matched import sides
    from evals.rendering import print_comparison, print_sides
    from evals.results import AlpacaResult, HeadToHeadResult
    from srlm.display import stdout

    met = [result for result in results if isinstance(result, HeadToHeadResult)]
    print_sides(stdout(), sides(met) if met else [])
    carded = [result for result in results if isinstance(result, AlpacaResult | HeadToHeadResult)]
    for card in dict.fromkeys(result.card.caption() for result in carded):
        stdout().print(card, soft_wrap=True, markup=False)
    for comparison in ablations(results):
        print_comparison(stdout(), comparison)


def _names(results: "Sequence[Result]") -> list[str]:
    """Each model that has a result, once."""
    from evals.results import HeadToHeadResult

    pairs = ((one.opponent, one.model) if isinstance(one, HeadToHeadResult) else (one.model,) for one in results)
    return list(dict.fromkeys(name for pair in pairs for name in pair))


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
    from evals.suites.alpaca import run_alpaca
    from srlm.judges.labelled import load_labelled

    prompts, sampling, labelled = _instructions(file, limit), _sampling(home, max_tokens), load_labelled()
    return lambda contestants, judge, run, progress: run_alpaca(
        contestants, prompts, judge, labelled, sampling, run, progress
    )


def _head_to_head(
    home: "Run", file: Path | None, baseline: str | None, limit: int | None, max_tokens: int | None
) -> "Work":
    from evals.suites.head_to_head import run_head_to_head
    from srlm.engines.open import public_name
    from srlm.judges.labelled import load_labelled

    prompts, sampling, labelled = _instructions(file, limit), _sampling(home, max_tokens), load_labelled()
    named = None if baseline is None else public_name(baseline)
    return lambda contestants, judge, run, progress: run_head_to_head(
        contestants, named, prompts, judge, labelled, sampling, run, progress
    )


def _instructions(file: Path | None, limit: int | None) -> "list[Prompt]":
    from evals.alpaca_files import read_outputs
    from evals.answering import choose_prompts
    from evals.suites.alpaca import prompts_of
    from srlm.seeds import evaluation_set

    return choose_prompts(prompts_of(read_outputs(file)) if file else evaluation_set(), limit)


def _sampling(home: "Run", max_tokens: int | None) -> "Sampling":
    from srlm.types import Sampling

    config = home.config.candidate_sampling
    return Sampling(config.temperature, config.top_p, max_tokens or config.max_tokens)


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


def _local_files(data: str | None, suites: Sequence[Suite]) -> Path | None:
    """The folder of nlp's files, which may hold IFEval's too. Anything else is for verifiable, where that is asked."""
    if data is None or (Suite.verifiable in suites and not Path(data).expanduser().is_dir()):
        return None
    return Path(data).expanduser()


def _nlp(
    contestants: "list[Contestant]",
    names: str | None,
    folder: Path | None,
    limit: int | None,
    batch_size: int,
    progress: "Progress",
) -> "Work":
    from evals.nlp_tasks import PAPER_TASKS, load_tasks
    from evals.suites.nlp import require_checkpoints, run_nlp

    require_checkpoints(contestants)
    chosen = _named(names) or PAPER_TASKS
    with progress.step(f"lm-eval reads {', '.join(chosen)}", total=None):
        tasks = load_tasks(chosen, folder, limit)
    return lambda contestants, _, run, progress: run_nlp(contestants, tasks, batch_size, run, progress)


def _reward(home: "Run", limit: int | None, place: str | None, rubrics: str | None, scorings: str | None) -> "Work":
    from evals.suites.reward_model import run_reward_model
    from srlm.errors import UsageError
    from srlm.judges.pointwise import configured_judge
    from srlm.records import read_records
    from srlm.seeds import load_seeds
    from srlm.types import RankedPrompt

    kept = home.path("seeds/validation")
    known = (
        read_records(kept, RankedPrompt)
        if place is None and kept.exists()
        else load_seeds(place or home.config.seeds.source).validation
    )
    chosen = known[:limit]
    if not chosen:
        raise UsageError(
            f"{place or kept} holds no ranked answers for validation: mark some with split: validation, or name "
            "others with --ranked."
        )
    ways = {_way(home.config.judge, one): configured_judge(one) for one in _ways(home.config.judge, rubrics, scorings)}
    return lambda contestants, _, run, progress: run_reward_model(contestants, chosen, ways, run, progress)


def _ways(own: "JudgeConfig", rubrics: str | None, scorings: str | None) -> "list[JudgeConfig]":
    """The run's way to judge with every rubric and scoring that is named."""
    from srlm.errors import UnknownName

    ways = _named(scorings) or [own.scoring]
    for one in ways:
        if one not in ("sampled", "expected"):
            raise UnknownName("The scoring", one, ["sampled", "expected"])
    return [
        own.model_copy(update={"rubric": rubric, "scoring": scoring})
        for rubric in _named(rubrics) or [own.rubric]
        for scoring in ways
    ]


def _way(own: "JudgeConfig", other: "JudgeConfig") -> str:
    """What is added to a model's name that judges otherwise than in its run."""
    return "" if own == other else f"({Path(other.rubric).stem}, {other.scoring})"


def _verifiable(home: "Run", data: str | None, limit: int | None, max_tokens: int | None) -> "Work":
    from evals.countdown import COUNTDOWN, countdown_exam
    from evals.exam import puzzle_exam
    from evals.ifeval import ifeval_exam
    from evals.suites.verifiable import run_verifiable
    from srlm.puzzle.world import PUZZLE, puzzle_seed

    own = PUZZLE if puzzle_seed(home.config.model) is not None else None
    place = data or own
    made = {PUZZLE: puzzle_exam, COUNTDOWN: countdown_exam}
    exam = made[place](limit) if place in made else ifeval_exam(place, limit)
    return lambda contestants, _, run, progress: run_verifiable(contestants, exam, max_tokens, run, progress)
