"""Instructions whose fulfilment a program checks, so that no judge is needed: IFEval (arXiv 2311.07911), or puzzles.

Answers are greedy, as IFEval's are. What is stored is which instructions each answer follows; `evals.suites.verifiable.metrics` turns
it into the four published figures: prompts of which all instructions are followed, and single instructions, both as
written (strict) and with common decorations taken off (loose). What a model thinks before its answer is no part of it.
An answer that was cut at the token limit is checked like any other, and counted; one that never came stays in the
result and is no failure.
"""

from collections.abc import Sequence

from evals.generate import answer_prompts, endings_of
from evals.model import Contestant, opened
from evals.options import LIMIT, Job, Option, Preparation, max_tokens
from evals.prompt_sets import save_prompts
from evals.results import Provenance, save, stage_name
from evals.suites.verifiable.benchmark import Exam, Item, puzzle_exam
from evals.suites.verifiable.countdown import COUNTDOWN, countdown_exam
from evals.suites.verifiable.ifeval import ifeval_exam
from evals.suites.verifiable.result import PromptCheck, VerifiableResult
from srlm.console import Progress
from srlm.errors import SrlmError
from srlm.inference import Caller
from srlm.puzzle.task import PUZZLE, puzzle_seed
from srlm.runs import Run
from srlm.types import Answer, Sampling

DATA = Option(
    "data",
    str,
    "FILE or OWNER/NAME with IFEval's prompts, countdown, or puzzle; if not given, IFEval from the Hub, or puzzle in a "
    "run of the puzzle task.",
)
MAX_TOKENS = max_tokens("1280 in IFEval, as in lm-eval, and 1024 in countdown")
OPTIONS = (DATA, LIMIT, MAX_TOKENS)


def prepare(preparation: Preparation) -> Job:
    """Load the benchmark. Where all suites are prepared, Countdown replaces an IFEval that cannot be loaded."""
    place, limit = preparation.get(DATA), preparation.get(LIMIT)
    if place is None and puzzle_seed(preparation.run.config.model) is not None:
        place = PUZZLE
    packaged = {PUZZLE: puzzle_exam, COUNTDOWN: countdown_exam}
    try:
        exam = packaged[place](limit) if place in packaged else ifeval_exam(place, limit)
    except SrlmError as error:
        if not preparation.every or preparation.get(DATA) is not None:
            raise
        preparation.progress.say(f"In place of IFEval, countdown is asked: {error}")
        exam = countdown_exam(limit)  # needs neither network nor file
    tokens = preparation.get(MAX_TOKENS)
    return Job(lambda models, _, run, progress: run_verifiable(models, exam, tokens, run, progress))


def run_verifiable(
    contestants: Sequence[Contestant], exam: Exam, max_tokens: int | None, run: Run, progress: Progress
) -> list[VerifiableResult]:
    """Let every model sit the exam; store one result a model.

    Args:
        contestants: the models.
        exam: prompts, and the program that checks their answers.
        max_tokens: of an answer; the exam's, if None.
        run: where answers and results are written.
        progress: what the user sees.
    """
    sampling = Sampling(0.0, 1.0, max_tokens or exam.max_tokens)
    provenance = Provenance(
        judge=exam.checker, rubric=exam.name, prompts=exam.digest, sampling=f"greedy, max_tokens={sampling.max_tokens}"
    )
    prompts = [item.prompt for item in exam.items]
    save_prompts(run, exam.digest, prompts)
    results: list[VerifiableResult] = []
    for contestant in contestants:
        with opened(contestant) as engine:
            identity = engine.identity
            caller = Caller(engine, run.ledger, "evals/verifiable", progress)
            answers = answer_prompts(caller, prompts, sampling, as_written=True)
        run.write(stage_name(run, "verifiable", contestant.name, "answers"), answers.values())
        checked = tuple(_checked(exam, item, answers.get(item.prompt.id)) for item in exam.items)
        endings = endings_of(answers.values())
        results.append(VerifiableResult(contestant.name, identity, provenance, checked, endings=endings))
        save(run, results[-1])
    return results


def _checked(exam: Exam, item: Item, answer: Answer | None) -> PromptCheck:
    if answer is None:
        return PromptCheck(item.prompt.id, item.instructions, None, None, 0, None)
    followed = exam.check(item, answer.text)
    length = len(answer.text.strip())
    return PromptCheck(item.prompt.id, item.instructions, followed.strict, followed.loose, length, answer.finish)
