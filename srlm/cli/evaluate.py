"""`srlm eval`: run evaluation suites on models."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from srlm.cli.options import DEFAULT_RUNS, RunName, Runs

if TYPE_CHECKING:
    from evals.contestants import Contestant
    from srlm.display import Progress
    from srlm.engines.engine import Engine
    from srlm.runs import Run


class Suite(StrEnum):
    """The suites that there are."""

    alpaca = "alpaca"
    reward = "reward"


def evaluate(
    models: Annotated[
        list[str],
        typer.Argument(help="Names in the run (M1), folders, hf:NAME, openai:NAME[@ADDRESS], anthropic:NAME."),
    ],
    suite: Annotated[str, typer.Option("--suite", help="alpaca, reward, or both with a comma.")] = "alpaca",
    judge: Annotated[
        str | None, typer.Option("--judge", help="Outside judge of alpaca; the packaged model, if not given.")
    ] = None,
    limit: Annotated[int | None, typer.Option("--limit", min=2, help="Use at most so many prompts.")] = None,
    max_tokens: Annotated[
        int | None, typer.Option("--max-tokens", min=1, help="Tokens per answer; the run's, if not given.")
    ] = None,
    run: RunName = None,
    runs: Runs = DEFAULT_RUNS,
) -> None:
    """Evaluate models: alpaca (win rate against references), reward (the model as a judge of ranked answers).

    Answers and verdicts are kept in the run, and nothing is asked twice.
    """
    from srlm.assets import PACKAGED
    from srlm.display import Progress, stdout
    from srlm.errors import UnknownName, UsageError
    from srlm.runs import open_run

    suites = [part.strip() for part in suite.split(",") if part.strip()]
    for one in suites:
        if one not in list(Suite):
            raise UnknownName("The suite", one, [known.value for known in Suite])
    if not suites:
        raise UsageError(f"--suite names no suite. There are: {', '.join(Suite)}.")
    home = open_run(runs, run)
    contestants = [_contestant(home, model) for model in models]
    progress = Progress()
    try:
        if Suite.alpaca in suites:
            if judge is None:
                progress.say("No --judge is given: the packaged 135M model judges. Its card says how far to trust it.")
            _alpaca(home, contestants, _contestant(home, judge or PACKAGED), limit, max_tokens, progress)
        if Suite.reward in suites:
            _reward(home, contestants, limit, progress)
    finally:
        home.close()
    where = f"--runs {runs} --run {home.name}"
    stdout().print(
        f"Results are in {home.folder / 'evals'}. Next: srlm compare {' '.join(models)} {where}", soft_wrap=True
    )


def _alpaca(
    home: "Run",
    contestants: "list[Contestant]",
    judge: "Contestant",
    limit: int | None,
    max_tokens: int | None,
    progress: "Progress",
) -> None:
    from evals.answering import choose_prompts
    from evals.suites.alpaca import run_alpaca
    from srlm.seeds import EMBEDDED, evaluation_set, load_seeds
    from srlm.types import Sampling

    config = home.config.candidate_sampling
    sampling = Sampling(config.temperature, config.top_p, max_tokens or config.max_tokens)
    labelled = load_seeds(EMBEDDED).validation
    run_alpaca(contestants, choose_prompts(evaluation_set(), limit), judge, labelled, sampling, home, progress)


def _reward(home: "Run", contestants: "list[Contestant]", limit: int | None, progress: "Progress") -> None:
    from evals.suites.reward_model import run_reward_model
    from srlm.judges.pointwise import configured_judge
    from srlm.records import read_records
    from srlm.types import RankedPrompt

    ranked = read_records(home.path("seeds/validation"), RankedPrompt)[:limit]
    run_reward_model(contestants, ranked, configured_judge(home.config.judge), home, progress)


def _contestant(home: "Run", model: str) -> "Contestant":
    """A model by its name in the run, or by what `srlm.engines.open` knows. A wrong name is refused before any work."""
    from evals.contestants import Contestant
    from srlm.assets import is_model_name
    from srlm.engines.open import is_remote, open_engine, public_name

    config = home.config
    spec = home.model(model) if model in home.models() or not is_model_name(model) else model
    if is_remote(spec):
        open_engine(spec).close()  # a missing key is said now, not after the answers were written

    def open_it() -> "Engine":
        return open_engine(spec, name=model, device=config.device, dtype=config.dtype, batch_tokens=config.batch_tokens)

    return Contestant(public_name(model), open_it)
