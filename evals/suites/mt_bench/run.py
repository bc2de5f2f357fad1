"""Run of MT-Bench (arXiv 2306.05685): two-turn questions; a judge grades each answer 1-10, some with a reference.

The questions and the references are FastChat's and come from the user, or are packaged. The temperature of each
category is FastChat's, the judge's prompts are our own. A turn without an answer or without a readable grade stays in
the result, and is in no mean. The answers and grades are also written as FastChat's files, for its tools and for
`srlm compare FILE`. Left out: FastChat's verdicts on pairs of answers; the suite alpaca compares.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from evals.generate import count_endings
from evals.model import EvalModel, load
from evals.options import JUDGE_TOKENS, LIMIT, Job, Option, Preparation, max_tokens
from evals.pairwise import with_dates
from evals.prompt_sets import save_prompts
from evals.results import Provenance, files_folder, save, stage_name
from evals.suites.mt_bench.data import Question
from evals.suites.mt_bench.files import own_questions, read_referenced_questions, write_answers, write_judgements
from evals.suites.mt_bench.generate import Turns, choose_questions, converse
from evals.suites.mt_bench.result import Grade, MtBenchResult
from srlm.console import Progress
from srlm.digest import digest_of_set
from srlm.engines.engine import Engine
from srlm.inference import Caller
from srlm.judges.grading import MT_BENCH, Conversation, GradingJudge, grade
from srlm.runs import Run
from srlm.types import Answer, Failed, Prompt, Scored, Verdict

STAGE = "evals/mt-bench"
MAX_TOKENS = 1024
"""Of an answer, as in FastChat."""
_TURNS: tuple[Literal[1], Literal[2]] = (1, 2)

PROMPTS = Option(
    "prompts",
    str,
    "FastChat's question.jsonl, or its folder; the packaged questions, if not given.",
    metavar="FILE",
    content="question.jsonl",
)
ANSWER_TOKENS = max_tokens(f"{MAX_TOKENS}, as in FastChat")
OPTIONS = (PROMPTS, LIMIT, ANSWER_TOKENS, JUDGE_TOKENS)


def prepare(preparation: Preparation) -> Job:
    """Load the questions."""
    place = preparation.get(PROMPTS)
    known = read_referenced_questions(Path(place)) if place else own_questions()
    questions = choose_questions(known, preparation.get(LIMIT))
    answer_tokens, judge_tokens = preparation.get(ANSWER_TOKENS), preparation.get(JUDGE_TOKENS)
    return Job(
        lambda models, judge, run, progress: run_mt_bench(
            models, questions, judge, answer_tokens, run, progress, judge_tokens
        )
    )


def run_mt_bench(
    models: Sequence[EvalModel],
    questions: Sequence[Question],
    judge: EvalModel,
    max_tokens: int | None,
    run: Run,
    progress: Progress,
    judge_tokens: int | None = None,
) -> list[MtBenchResult]:
    """Answer both turns with each model, grade every answer, and store one result per model.

    Args:
        models: to evaluate.
        questions: with references where their category has them.
        judge: an outside judge.
        max_tokens: of an answer; FastChat's, if None.
        run: stores answers, verdicts and results.
        progress: shows the progress.
        judge_tokens: of a grade with its explanation and the judge's reasoning; FastChat's, if None.
    """
    limit, grading = max_tokens or MAX_TOKENS, GradingJudge()
    if judge_tokens is not None:
        grading = GradingJudge(replace(grading.sampling, max_tokens=judge_tokens))
    answers: dict[str, dict[int, Turns]] = {}
    identities: dict[str, str] = {}
    for model in models:
        with load(model) as engine:
            identities[model.name] = engine.identity
            answers[model.name] = converse(Caller(engine, run.ledger, STAGE, progress), questions, limit)
    results: list[MtBenchResult] = []
    with load(judge) as engine:
        provenance = _provenance(engine, grading, questions, limit)
        save_prompts(run, provenance.prompts, [_prompt(one) for one in questions])
        for name, turns in answers.items():
            items = conversations(questions, turns)
            label = f"{engine.name} grades {len(items)} answers of {name}"
            verdicts = grade(grading, Caller(engine, run.ledger, STAGE, progress), items, label=label)
            given = [answer for both in turns.values() for answer in both]
            run.write(stage_name(run, "mt-bench", name, "answers"), given)
            run.write(stage_name(run, "mt-bench", name, "verdicts"), verdicts)
            by_answer = {verdict.answer_ids[0]: verdict for verdict in verdicts}
            result = MtBenchResult(
                name,
                identities[name],
                with_dates(provenance, judge, verdicts, run.ledger),
                tuple(_grade(one, turn, turns[one.id], by_answer) for one in questions for turn in _TURNS),
                _count_injections(verdicts),
                endings=count_endings(given),
            )
            save(run, result)
            folder = files_folder(run, "mt-bench", name)
            write_answers(folder / "model_answer.jsonl", name, turns)
            graded = list(zip(items, verdicts, strict=True))
            write_judgements(folder / "model_judgment.jsonl", name, grading, graded)
            results.append(result)
    return results


def conversations(questions: Sequence[Question], answers: Mapping[int, Turns]) -> list[Conversation]:
    """Return the answers to grade, each with the turns before it."""
    return [
        Conversation(one.turns[:turn], answers[one.id][:turn], one.references and one.references[:turn])
        for one in questions
        for turn in range(1, len(answers[one.id]) + 1)
    ]


def _prompt(question: Question) -> Prompt:
    """Return both turns as one instruction, with the id that grades have for the question."""
    return Prompt(str(question.id), "\n\n".join(question.turns), "evaluation", category=question.category)


def _provenance(engine: Engine, judge: GradingJudge, questions: Sequence[Question], max_tokens: int) -> Provenance:
    nothing = Answer("", "", "", "", "stop")
    forms = {one.references is not None: one for one in questions}
    items = conversations(list(forms.values()), {one.id: (nothing, nothing) for one in forms.values()})
    text = "\x1e".join(repr(one) for one in sorted(questions, key=lambda one: one.id))
    return Provenance(
        judge=f"{engine.name} {engine.identity}",
        rubric=" ".join(sorted(judge.rubric(item).label for item in items)) + _token_limit(judge),
        prompts=digest_of_set(len(questions), [text]),
        sampling=f"temperature by category, top-p=1.0 max_tokens={max_tokens}",
    )


def _token_limit(judge: GradingJudge) -> str:
    """Return the judge's token limit, if it is not FastChat's: such grades are not comparable."""
    tokens = judge.sampling.max_tokens
    return "" if tokens == MT_BENCH.max_tokens else f" in {tokens} tokens"


def _grade(question: Question, turn: Literal[1, 2], turns: Turns, verdicts: Mapping[str, Verdict]) -> Grade:
    if len(turns) < turn:
        return Grade(question.id, question.category, turn, None, "unanswered")
    answer = turns[turn - 1]
    reading, length = verdicts[answer.id].reading, len(answer.text)
    if isinstance(reading, Scored):
        return Grade(question.id, question.category, turn, reading.value, "scored", length)
    state: Literal["failed", "unparsed"] = "failed" if isinstance(reading, Failed) else "unparsed"
    return Grade(question.id, question.category, turn, None, state, length)


def _count_injections(verdicts: Sequence[Verdict]) -> int:
    """Count the answers that hold a prompt injection."""
    return sum(
        any(one.answer_id == verdict.answer_ids[0] for one in verdict.injection_suspected) for verdict in verdicts
    )
