"""Run of a checked benchmark, where a program is the judge: IFEval (arXiv 2311.07911), Countdown, puzzles, ...

Answers are greedy, as in IFEval. The result has the instructions that each answer follows; the suite's metrics are the
four published ones: prompts whose instructions are all followed, and single instructions, both as written (strict) and
without common decorations (loose). Reasoning is not part of an answer. An answer that was cut at the token limit is
checked like any other, and is counted; one that never came stays in the result and is no failure.
"""

from collections.abc import Sequence

from evals.generate import answer_prompts, count_endings
from evals.model import EvalModel, load
from evals.options import LIMIT, Job, Option, Preparation, max_tokens
from evals.prompt_sets import save_prompts
from evals.results import Provenance, save, stage_name
from evals.suites.verifiable.benchmark import CheckedBenchmark, CheckedPrompt
from evals.suites.verifiable.countdown import countdown_benchmark
from evals.suites.verifiable.ifeval import ifeval_benchmark
from evals.suites.verifiable.puzzle import puzzle_benchmark
from evals.suites.verifiable.result import PromptCheck, VerifiableResult
from evals.suites.verifiable.sentences import sentence_benchmark
from evals.suites.verifiable.task import task_benchmark
from srlm.arithmetic.task import ARITHMETIC
from srlm.config import TrainConfig
from srlm.config.rollouts import RolloutsConfig
from srlm.console import Progress
from srlm.countdown.task import COUNTDOWN
from srlm.errors import SrlmError
from srlm.inference import Caller
from srlm.integration.task import INTEGRATION
from srlm.puzzle.task import PUZZLE, puzzle_seed
from srlm.runs import Run
from srlm.sentences.task import SENTENCES
from srlm.tasks.open import FILE
from srlm.types import Answer, Sampling

DATA = Option(
    "data",
    str,
    "FILE or OWNER/NAME with IFEval's prompts; countdown (each number at most once), countdown:exactly-once, puzzle, "
    "sentences, integration, arithmetic, or a task file FILE.py. If not given, the run's own task where it has one, "
    "else IFEval from the Hub.",
)
MAX_TOKENS = max_tokens("1280 in IFEval, as in lm-eval, and 1024 in countdown and other tasks")
OPTIONS = (DATA, LIMIT, MAX_TOKENS)
EXACTLY_ONCE = f"{COUNTDOWN}:exactly-once"


def prepare(preparation: Preparation) -> Job:
    """Load the benchmark. Where all suites are prepared, Countdown replaces an IFEval that cannot be loaded."""
    place, limit = preparation.get(DATA), preparation.get(LIMIT)
    try:
        benchmark = _benchmark(place, limit, preparation.run.config)
    except SrlmError as error:
        own = preparation.run.config.learn_from == "rollouts"
        if not preparation.every or own or preparation.get(DATA) is not None:
            raise
        preparation.progress.say(f"In place of IFEval, countdown is asked: {error}")
        benchmark = countdown_benchmark(limit)  # needs neither network nor file
    tokens = preparation.get(MAX_TOKENS)
    return Job(lambda models, _, run, progress: run_verifiable(models, benchmark, tokens, run, progress))


def _benchmark(place: str | None, limit: int | None, config: TrainConfig) -> CheckedBenchmark:
    """Return the benchmark of a name, a task file, or IFEval's prompts; without one that of the run's own task."""
    if place is None:
        if puzzle_seed(config.model) is not None:
            place = PUZZLE
        elif config.learn_from == "rollouts":
            return puzzle_benchmark(limit) if config.rollouts.task == PUZZLE else task_benchmark(config.rollouts, limit)
        elif config.instructions.source == SENTENCES:
            place = SENTENCES
    if place is not None and (place in (INTEGRATION, ARITHMETIC) or place.endswith(FILE)):
        return task_benchmark(RolloutsConfig(task=place), limit)
    packaged = {PUZZLE: puzzle_benchmark, SENTENCES: sentence_benchmark, COUNTDOWN: countdown_benchmark}
    if place == EXACTLY_ONCE:
        return countdown_benchmark(limit, "exactly once")
    return packaged[place](limit) if place in packaged else ifeval_benchmark(place, limit)


def run_verifiable(
    models: Sequence[EvalModel], benchmark: CheckedBenchmark, max_tokens: int | None, run: Run, progress: Progress
) -> list[VerifiableResult]:
    """Run the benchmark for each model, and store one result per model.

    Args:
        models: to evaluate.
        benchmark: prompts, and the program that checks the answers.
        max_tokens: of an answer; the benchmark's, if None.
        run: stores answers and results.
        progress: shows the progress.
    """
    sampling = Sampling(0.0, 1.0, max_tokens or benchmark.max_tokens)
    provenance = Provenance(
        judge=benchmark.checker,
        rubric=benchmark.name,
        prompts=benchmark.digest,
        sampling=f"greedy, max_tokens={sampling.max_tokens}",
    )
    prompts = [item.prompt for item in benchmark.items]
    save_prompts(run, benchmark.digest, prompts)
    results: list[VerifiableResult] = []
    for model in models:
        with load(model) as engine:
            identity = engine.identity
            caller = Caller(engine, run.ledger, "evals/verifiable", progress)
            answers = answer_prompts(caller, prompts, sampling, as_written=True)
        run.write(stage_name(run, "verifiable", model.name, "answers"), answers.values())
        checked = tuple(_checked(benchmark, item, answers.get(item.prompt.id)) for item in benchmark.items)
        endings = count_endings(answers.values())
        results.append(
            VerifiableResult(model.name, identity, provenance, checked, endings=endings, rule=benchmark.rule)
        )
        save(run, results[-1])
    return results


def _checked(benchmark: CheckedBenchmark, item: CheckedPrompt, answer: Answer | None) -> PromptCheck:
    if answer is None:
        return PromptCheck(item.prompt.id, item.instructions, None, None, 0, None)
    followed = benchmark.check(item, answer.text)
    length = len(answer.text.strip())
    return PromptCheck(
        item.prompt.id, item.instructions, followed.strict, followed.loose, length, answer.finish, followed.flaw
    )
