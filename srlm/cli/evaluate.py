"""`srlm eval`: run evaluation suites on models."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from srlm.cli.models import budget_of, contestant, wire_of
from srlm.cli.options import (
    DEFAULT_RUNS,
    MOST_ITEMS,
    MOST_SAMPLES,
    MOST_TOKENS,
    Deadline,
    Estimate,
    InFlight,
    JudgeTokens,
    LeastMass,
    MaxCost,
    RunName,
    Runs,
    command,
)
from srlm.cli.recompute import Format, recompute
from srlm.cli.suites import JUDGED, Asked, Suite, prepared, suites_of

if TYPE_CHECKING:
    from evals.model import Contestant
    from evals.results import Result
    from srlm.cli.suites import Work
    from srlm.console import Progress
    from srlm.ledger import Ledger
    from srlm.runs import Run

EVALUATIONS = "evaluations"
"""The run of models that none trained."""


def evaluate(
    models: Annotated[
        list[str] | None,
        typer.Argument(help="Names in the run (M1), folders, hf:NAME, openai:NAME[@ADDRESS], anthropic:NAME."),
    ] = None,
    suite: Annotated[
        str,
        typer.Option(
            "--suite", help="alpaca, head-to-head, mt-bench, nlp, reward, verifiable, several with commas, or all."
        ),
    ] = "alpaca",
    judge: Annotated[
        str | None,
        typer.Option(
            "--judge", help="Outside judge of alpaca, head-to-head and mt-bench; if not given, the packaged one."
        ),
    ] = None,
    prompts: Annotated[
        str | None,
        typer.Option(
            "--prompts",
            metavar="FILE",
            help="For alpaca and head-to-head the baseline's model_outputs.json, or tatsu-lab/alpaca_eval for the 805 "
            "from the Hub; for mt-bench FastChat's question.jsonl, or its folder. Our own, if not given.",
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
        int,
        typer.Option(
            "--batch-size", min=1, max=MOST_SAMPLES, help="Prompts side by side in nlp, as in lm-eval's command."
        ),
    ] = 1,
    limit: Annotated[
        int | None,
        typer.Option("--limit", min=2, max=MOST_ITEMS, help="Use at most so many prompts; in nlp, of each task."),
    ] = None,
    max_tokens: Annotated[
        int | None,
        typer.Option(
            "--max-tokens",
            min=1,
            max=MOST_TOKENS,
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
    judge_tokens: JudgeTokens = None,
    least_mass: LeastMass = None,
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

    all is each suite that can begin here, and ends in a comparison; what cannot is left out, and said to be.

    Answers and verdicts are kept in the run, and nothing is asked twice. What a server's calls will take is said
    before the first of them. With --annotations no model is named: the verdicts are somebody's, and no run is needed.
    """
    from srlm.errors import UsageError

    suites, every = suites_of(suite)
    asked = Asked(
        suites,
        every,
        prompts=prompts,
        baseline=baseline,
        tasks=tasks,
        batch_size=batch_size,
        limit=limit,
        max_tokens=max_tokens,
        data=data,
        ranked=ranked,
        rubric=rubric,
        scoring=scoring,
        judge_tokens=judge_tokens,
        least_mass=least_mass,
    )
    if annotations is not None:
        asking = {"models": models, "--judge": judge, **asked.given(without="prompts"), "--estimate": estimate}
        given = [name for name, value in asking.items() if value]
        if given:
            raise UsageError(
                f"--annotations goes without {' and '.join(given)}: nobody is asked, the verdicts are somebody's."
            )
        recompute([one.value for one in suites], annotations, gamed, prompts, format)
        return
    if gamed is not None or format is not Format.table:
        raise UsageError("--gamed and --format go with --annotations.")
    if not models:
        raise UsageError("Name at least one model, such as: srlm eval M1. Or give --annotations FILE.")
    from evals.compare.tracking import tell
    from srlm.console import Progress, stdout
    from srlm.ledger_lock import lock_ledger
    from srlm.model_hub import PACKAGED
    from srlm.trackers import require_trackers

    progress = Progress()
    home = _home(runs, run, models)
    require_trackers(home.config.report_to)
    budget = budget_of(max_cost)
    wire = wire_of(in_flight, deadline, progress)
    try:
        contestants = [contestant(model, home, wire, budget) for model in models]
        work = prepared(asked, models, contestants, home, progress)
        judged = JUDGED & work.keys()
        if judged and judge is None:
            known = (
                "It is too small to be trusted." if judged == {Suite.mt_bench} else "Its card says how far to trust it."
            )
            progress.say(f"No --judge is given: the packaged 135M model judges. {known}")
        named = contestant(judge or PACKAGED, home, wire, budget)
        called = [each for one, each in work.items() if one is not Suite.nlp]  # which loads its models itself
        remote = any(one.remote for one in ([*contestants, named] if judged else contestants))
        lines = _rehearse(called, contestants, named, home.kept, only=estimate) if estimate or remote else []
        if estimate:
            stdout().print("\n".join(lines), soft_wrap=True, markup=False)
            return
        with lock_ledger(home.folder / "ledger.sqlite", progress.say) as waited:
            home = _begun(home, progress)
            if remote and waited:
                lines = _rehearse(called, contestants, named, home.kept, only=False)
            if remote:
                progress.say("\n".join(lines))
            results = [result for each in work.values() for result in each(contestants, named, home, progress)]
            tell(home, _names(results))
    finally:
        home.close()
    _show(results, compared=every)
    _say_next(results, home, runs)


def _home(runs: Path, name: str | None, models: list[str]) -> "Run":
    """The run that results are kept in. Where there is none, models that need no run get one, which is only planned."""
    from srlm.config import TrainConfig
    from srlm.model_hub import is_model_name
    from srlm.runs import open_run, plan_run

    if any(runs.glob("*/run.yaml")) or not all(is_model_name(one) for one in models):
        return open_run(runs, name)
    return plan_run(runs, name or EVALUATIONS, TrainConfig(model=models[0]))


def _begun(home: "Run", progress: "Progress") -> "Run":
    """The run, made where it was only planned and nobody else has made it meanwhile."""
    from srlm.runs import Run, start_run

    if (home.folder / "run.yaml").exists():
        return home
    home.close()
    start_run(home.folder.parent, home.name, home.config)
    progress.say(f"There is no run in {home.folder.parent}: the results are kept in {home.folder}.")
    return Run(home.folder)


def _show(results: "Sequence[Result]", *, compared: bool) -> None:
    """The pairs of a head-to-head, the judges' cards, and the ways of one judge side by side; or all in one table.

    What of the answers is none is said in any case, before a figure is compared.
    """
    from evals.compare.ablation import ablations
    from evals.compare.comparison import compare_models
    from evals.compare.sentences import unsaid
    from evals.compare.terminal import print_comparison, print_sides
    from evals.results import AlpacaResult, HeadToHeadResult, MtBenchResult, VerifiableResult, gathered
    from evals.suites.head_to_head.metrics import sides
    from srlm.console import stdout

    if compared:
        names = _names(results)
        print_comparison(stdout(), compare_models(gathered(results), names, names[0]))
        return
    met = [result for result in results if isinstance(result, HeadToHeadResult)]
    print_sides(stdout(), sides(met) if met else [])
    carded = [result for result in results if isinstance(result, AlpacaResult | HeadToHeadResult)]
    answered = [one for one in results if isinstance(one, AlpacaResult | MtBenchResult | VerifiableResult)]
    lines = [line for one in answered for line in unsaid(one.model, one.endings)]
    for line in [*dict.fromkeys(result.card.caption() for result in carded if result.card), *lines]:
        stdout().print(line, soft_wrap=True, markup=False)
    for comparison in ablations(results):
        print_comparison(stdout(), comparison)


def _say_next(results: "Sequence[Result]", home: "Run", runs: Path) -> None:
    from srlm.console import stdout

    compare = command("srlm", "compare", *_names(results), "--runs", runs, "--run", home.name)
    stdout().print(
        f"Results are in {home.folder / 'evals'}. Next: {compare}",
        soft_wrap=True,
        markup=False,
    )


def _names(results: "Sequence[Result]") -> list[str]:
    """Each model that has a result, once."""
    from evals.results import HeadToHeadResult

    pairs = ((one.opponent, one.model) if isinstance(one, HeadToHeadResult) else (one.model,) for one in results)
    return list(dict.fromkeys(name for pair in pairs for name in pair))


def _rehearse(
    work: "list[Work]", contestants: "list[Contestant]", judge: "Contestant", ledger: "Ledger | None", *, only: bool
) -> list[str]:
    """What the command would ask, in lines for the user. Unless only they are wanted, every key must be there."""
    from evals.dry_run import estimate, rehearsing
    from srlm.console import Progress

    with rehearsing(ledger) as rehearsal:
        for each in work:
            played = [rehearsal.play(one) for one in contestants]
            each(played, rehearsal.play(judge), rehearsal.run, Progress(quiet=True))
        if not only:
            rehearsal.require_keys()
        return estimate(rehearsal.expected.values())
