"""What each suite of `srlm eval` needs before it can begin: its prompts, its data, its settings.

All of it is read and checked before the first model is loaded, so that the last of several suites does not end an
evaluation after hours. Of "all" suites those that cannot begin here are left out, with the reason.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evals.model import Contestant
    from evals.results import Result
    from srlm.config.preferences import JudgeConfig
    from srlm.console import Progress
    from srlm.runs import Run
    from srlm.types import Prompt, Sampling

    Work = Callable[[list[Contestant], Contestant, Run, Progress], Sequence[Result]]


class Suite(StrEnum):
    """The suites that there are."""

    alpaca = "alpaca"
    head_to_head = "head-to-head"
    mt_bench = "mt-bench"
    nlp = "nlp"
    reward = "reward"
    verifiable = "verifiable"


ALL = "all"
JUDGED = frozenset({Suite.alpaca, Suite.head_to_head, Suite.mt_bench})
"""Suites that ask an outside judge."""


@dataclass(frozen=True)
class Asked:
    """What the options say. `every`: all suites were asked for, and what cannot begin is left out."""

    suites: list[Suite]
    every: bool = False
    prompts: str | None = None
    baseline: str | None = None
    tasks: str | None = None
    batch_size: int = 1
    limit: int | None = None
    max_tokens: int | None = None
    data: str | None = None
    ranked: str | None = None
    rubric: str | None = None
    scoring: str | None = None
    judge_tokens: int | None = None
    least_mass: float | None = None

    def given(self, without: str = "") -> dict[str, Any]:
        """The options that the user gave, as they are written, with their values; `without` one of the fields."""
        options = {
            one.name: getattr(self, one.name) for one in fields(self) if one.name not in ("suites", "every", without)
        }
        return {as_option(name): value for name, value in options.items() if value != getattr(Asked, name)}


OPTIONS: Mapping[str, Sequence[Suite]] = {
    "prompts": (Suite.alpaca, Suite.head_to_head, Suite.mt_bench),
    "baseline": (Suite.head_to_head,),
    "tasks": (Suite.nlp,),
    "batch_size": (Suite.nlp,),
    "max_tokens": (Suite.alpaca, Suite.head_to_head, Suite.mt_bench, Suite.verifiable),
    "data": (Suite.nlp, Suite.verifiable),
    "ranked": (Suite.reward,),
    "rubric": (Suite.reward,),
    "scoring": (Suite.reward,),
    "judge_tokens": (Suite.alpaca, Suite.head_to_head, Suite.mt_bench, Suite.reward),
    "least_mass": (Suite.alpaca, Suite.head_to_head, Suite.reward),
}
"""Which suites an option of `Asked` is for: where none of them is named, it would change nothing, and is refused."""


def as_option(field: str) -> str:
    """A field of `Asked` as the user writes it."""
    return f"--{field.replace('_', '-')}"


def named(names: str | None) -> list[str]:
    """The parts of an option that takes several with commas."""
    return [part.strip() for part in (names or "").split(",") if part.strip()]


def suites_of(names: str) -> tuple[list[Suite], bool]:
    """The suites that are named, in their own order; and whether all were asked for.

    Raises:
        UnknownName: there is no such suite.
        UsageError: none is named.
    """
    from srlm.errors import UnknownName, UsageError

    given = named(names)
    for one in given:
        if one not in [*Suite, ALL]:
            raise UnknownName("The suite", one, [*(known.value for known in Suite), ALL])
    if not given:
        raise UsageError(f"--suite names no suite. There are: {', '.join([*Suite, ALL])}.")
    return [one for one in Suite if one in given or ALL in given], ALL in given


def prepared(
    asked: Asked, models: Sequence[str], contestants: "list[Contestant]", home: "Run", progress: "Progress"
) -> "dict[Suite, Work]":
    """What is to be done, suite by suite.

    Raises:
        SrlmError: a suite cannot begin, and was asked for by name; or none of all can.
    """
    from srlm.errors import SrlmError, UsageError

    if (
        asked.prompts is not None
        and Suite.mt_bench in asked.suites
        and {Suite.alpaca, Suite.head_to_head} & {*asked.suites}
    ):
        raise UsageError(
            "--prompts names the file of one suite: evaluate mt-bench and alpaca or head-to-head one after the other."
        )
    for option, suites in OPTIONS.items():
        if as_option(option) in asked.given() and not {*suites} & {*asked.suites}:
            raise UsageError(
                f"{as_option(option)} is of the suite {' or '.join(suites)}, and not of "
                f"{', '.join(asked.suites)}: add it to --suite, or leave the option out."
            )
    prepare: dict[Suite, Callable[[], Work]] = {
        Suite.alpaca: lambda: _alpaca(asked, home),
        Suite.head_to_head: lambda: _head_to_head(asked, models, home),
        Suite.mt_bench: lambda: _mt_bench(asked),
        Suite.nlp: lambda: _nlp(asked, contestants, progress),
        Suite.reward: lambda: _reward(asked, home, progress),
        Suite.verifiable: lambda: _verifiable(asked, home, progress),
    }
    found: dict[Suite, Work] = {}
    for suite in asked.suites:
        try:
            found[suite] = prepare[suite]()
        except SrlmError as error:
            if not asked.every:
                raise
            progress.say(f"Left out is {suite}: {error}")
    if not found:
        raise UsageError("No suite can begin here; the lines above say why.")
    return found


def _alpaca(asked: Asked, home: "Run") -> "Work":
    from evals.suites.alpaca.run import run_alpaca
    from srlm.judges.pairwise import voting_of
    from srlm.judges.preference_data import load_labelled

    prompts, sampling, labelled = _instructions(asked), _sampling(asked, home), load_labelled()
    voting = voting_of(asked.judge_tokens, asked.least_mass)
    return lambda contestants, judge, run, progress: run_alpaca(
        contestants, prompts, judge, labelled, sampling, run, progress, voting
    )


def _head_to_head(asked: Asked, models: Sequence[str], home: "Run") -> "Work":
    from evals.suites.head_to_head.run import run_head_to_head
    from srlm.engines.open import public_name
    from srlm.errors import UnknownName, UsageError
    from srlm.judges.pairwise import voting_of
    from srlm.judges.preference_data import load_labelled

    if len(set(models)) < 2:
        raise UsageError("head-to-head needs two models, such as: srlm eval M1 M2 --suite head-to-head")
    if asked.baseline is not None and asked.baseline not in models:
        raise UnknownName("Among the models to evaluate, the baseline", asked.baseline, models)
    prompts, sampling, labelled = _instructions(asked), _sampling(asked, home), load_labelled()
    baseline = None if asked.baseline is None else public_name(asked.baseline)
    voting = voting_of(asked.judge_tokens, asked.least_mass)
    return lambda contestants, judge, run, progress: run_head_to_head(
        contestants, baseline, prompts, judge, labelled, sampling, run, progress, voting
    )


def _instructions(asked: Asked) -> "list[Prompt]":
    from evals.generate import choose_prompts
    from evals.suites.alpaca.files import outputs_at
    from evals.suites.alpaca.run import prompts_of
    from srlm.seed_data import evaluation_set

    return choose_prompts(prompts_of(outputs_at(asked.prompts)) if asked.prompts else evaluation_set(), asked.limit)


def _sampling(asked: Asked, home: "Run") -> "Sampling":
    from srlm.types import Sampling

    config = home.config.candidate_sampling
    return Sampling(config.temperature, config.top_p, asked.max_tokens or config.max_tokens)


def _mt_bench(asked: Asked) -> "Work":
    from evals.suites.mt_bench.files import own_questions, read_referenced_questions
    from evals.suites.mt_bench.generate import choose_questions
    from evals.suites.mt_bench.run import run_mt_bench

    known = read_referenced_questions(Path(asked.prompts)) if asked.prompts else own_questions()
    questions = choose_questions(known, asked.limit)
    return lambda contestants, judge, run, progress: run_mt_bench(
        contestants, questions, judge, asked.max_tokens, run, progress, asked.judge_tokens
    )


def _nlp(asked: Asked, contestants: "list[Contestant]", progress: "Progress") -> "Work":
    from evals.suites.nlp.run import require_checkpoints, run_nlp
    from evals.suites.nlp.tasks import PAPER_TASKS, load_tasks

    require_checkpoints(contestants)
    chosen = named(asked.tasks) or PAPER_TASKS
    with progress.step(f"lm-eval reads {', '.join(chosen)}", total=None):
        tasks = load_tasks(chosen, _local_files(asked), asked.limit)
    return lambda contestants, _, run, progress: run_nlp(contestants, tasks, asked.batch_size, run, progress)


def _local_files(asked: Asked) -> Path | None:
    """The folder of nlp's files, which may hold IFEval's too. Anything else is for verifiable, where that is asked."""
    if asked.data is None or (Suite.verifiable in asked.suites and not Path(asked.data).expanduser().is_dir()):
        return None
    return Path(asked.data).expanduser()


def _reward(asked: Asked, home: "Run", progress: "Progress") -> "Work":
    from evals.suites.reward_model.run import run_reward_model
    from srlm.errors import UsageError
    from srlm.jsonl import read_records
    from srlm.judges.pointwise import configured_judge
    from srlm.seed_data import load_seeds
    from srlm.types import RankedPrompt

    kept, own = home.path("seeds/validation"), home.config
    if asked.ranked is None and kept.exists():
        known: Sequence[RankedPrompt] = read_records(kept, RankedPrompt)
    else:
        seeds = load_seeds(asked.ranked or own.seeds.source)
        known = seeds.validation
        given = len(seeds.eft) + len(known)
        if len(known) < given:
            progress.say(
                f"Of {given} instructions with ranked answers in {asked.ranked or own.seeds.source}, {len(known)} are "
                "for validation and are judged; the others are for training."
            )
    chosen = known[: asked.limit]
    if not chosen:
        raise UsageError(
            f"{asked.ranked or kept} holds no ranked answers for validation: mark some with split: validation, or name "
            "others with --ranked."
        )
    judge = _judge_of(own.judge, asked)
    ways = {_way(judge, one): configured_judge(one) for one in _ways(judge, asked)}
    return lambda contestants, _, run, progress: run_reward_model(contestants, chosen, ways, run, progress)


def _judge_of(own: "JudgeConfig", asked: Asked) -> "JudgeConfig":
    """The run's judge with the tokens and the mass that the options say."""
    changes: dict[str, Any] = {}
    if asked.judge_tokens is not None:
        changes["sampling"] = own.sampling.model_copy(update={"max_tokens": asked.judge_tokens})
    if asked.least_mass is not None:
        changes["least_mass"] = asked.least_mass
    return own.model_copy(update=changes)


def _ways(own: "JudgeConfig", asked: Asked) -> "list[JudgeConfig]":
    """The run's way to judge with every rubric and scoring that is named."""
    from srlm.errors import UnknownName

    ways = named(asked.scoring) or [own.scoring]
    for one in ways:
        if one not in ("sampled", "expected"):
            raise UnknownName("The scoring", one, ["sampled", "expected"])
    return [
        own.model_copy(update={"rubric": rubric, "scoring": scoring})
        for rubric in named(asked.rubric) or [own.rubric]
        for scoring in ways
    ]


def _way(own: "JudgeConfig", other: "JudgeConfig") -> str:
    """What is added to a model's name that judges otherwise than in its run."""
    return "" if own == other else f"({Path(other.rubric).stem}, {other.scoring})"


def _verifiable(asked: Asked, home: "Run", progress: "Progress") -> "Work":
    from evals.suites.verifiable.benchmark import puzzle_exam
    from evals.suites.verifiable.countdown import COUNTDOWN, countdown_exam
    from evals.suites.verifiable.ifeval import ifeval_exam
    from evals.suites.verifiable.run import run_verifiable
    from srlm.errors import SrlmError
    from srlm.puzzle.task import PUZZLE, puzzle_seed

    place = asked.data or (PUZZLE if puzzle_seed(home.config.model) is not None else None)
    made = {PUZZLE: puzzle_exam, COUNTDOWN: countdown_exam}
    try:
        exam = made[place](asked.limit) if place in made else ifeval_exam(place, asked.limit)
    except SrlmError as error:
        if not asked.every or asked.data is not None:
            raise
        progress.say(f"In place of IFEval, countdown is asked: {error}")
        exam = countdown_exam(asked.limit)  # needs neither network nor file
    return lambda contestants, _, run, progress: run_verifiable(contestants, exam, asked.max_tokens, run, progress)
