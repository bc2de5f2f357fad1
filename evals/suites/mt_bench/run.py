"""MT-Bench (arXiv 2306.05685): two-turn questions; a judge grades each answer 1-10, beside a reference where it helps.

The questions and the references are FastChat's and come from the user. The temperature is that of each category there,
the judge's prompts are our own. A turn without an answer or without a readable grade stays in the result, and in no
mean. The answers and grades are also written as FastChat's files, so that its tools, and `srlm compare`, read
them. Left out: FastChat's verdicts on pairs of answers; the suite alpaca compares.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from evals.generate import endings_of
from evals.model import Contestant, opened
from evals.options import JUDGE_TOKENS, LIMIT, Job, Option, Preparation, max_tokens
from evals.pairwise import dated
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
    contestants: Sequence[Contestant],
    questions: Sequence[Question],
    judge: Contestant,
    max_tokens: int | None,
    run: Run,
    progress: Progress,
    judge_tokens: int | None = None,
) -> list[MtBenchResult]:
    """Answer both turns with every model, grade every answer, store one result a model.

    Args:
        contestants: the models.
        questions: with references where their category has them.
        judge: an outside judge.
        max_tokens: of an answer; FastChat's, if None.
        run: where answers, verdicts and results are written.
        progress: what the user sees.
        judge_tokens: of a grade with its reasons, and what the judge thinks before; FastChat's, if None.
    """
    limit, grading = max_tokens or MAX_TOKENS, GradingJudge()
    if judge_tokens is not None:
        grading = GradingJudge(replace(grading.sampling, max_tokens=judge_tokens))
    answers: dict[str, dict[int, Turns]] = {}
    identities: dict[str, str] = {}
    for contestant in contestants:
        with opened(contestant) as engine:
            identities[contestant.name] = engine.identity
            answers[contestant.name] = converse(Caller(engine, run.ledger, STAGE, progress), questions, limit)
    results: list[MtBenchResult] = []
    with opened(judge) as engine:
        provenance = _provenance(engine, grading, questions, limit)
        save_prompts(run, provenance.prompts, [_prompt(one) for one in questions])
        for contestant in contestants:
            model, given = contestant.name, answers[contestant.name]
            items = conversations(questions, given)
            label = f"{engine.name} grades {len(items)} answers of {model}"
            verdicts = grade(grading, Caller(engine, run.ledger, STAGE, progress), items, label=label)
            run.write(
                stage_name(run, "mt-bench", model, "answers"), [answer for turns in given.values() for answer in turns]
            )
            run.write(stage_name(run, "mt-bench", model, "verdicts"), verdicts)
            by_answer = {verdict.answer_ids[0]: verdict for verdict in verdicts}
            grades = tuple(
                _grade(question, turn, given[question.id], by_answer) for question in questions for turn in _TURNS
            )
            seen = dated(provenance, judge, verdicts, run.ledger)
            endings = endings_of(answer for turns in given.values() for answer in turns)
            results.append(MtBenchResult(model, identities[model], seen, grades, _flagged(verdicts), endings=endings))
            save(run, results[-1])
            folder = files_folder(run, "mt-bench", model)
            write_answers(folder / "model_answer.jsonl", model, given)
            graded = list(zip(items, verdicts, strict=True))
            write_judgements(folder / "model_judgment.jsonl", model, grading, graded)
    return results


def conversations(questions: Sequence[Question], answers: Mapping[int, Turns]) -> list[Conversation]:
    """What there is to grade: each answer that came, with what was said before it."""
    return [
        Conversation(one.turns[:turn], answers[one.id][:turn], one.references and one.references[:turn])
        for one in questions
        for turn in range(1, len(answers[one.id]) + 1)
    ]


def _prompt(question: Question) -> Prompt:
    """Both turns as one instruction, under the name that grades know the question by."""
    return Prompt(str(question.id), "\n\n".join(question.turns), "evaluation", category=question.category)


def _provenance(engine: Engine, judge: GradingJudge, questions: Sequence[Question], max_tokens: int) -> Provenance:
    nothing = Answer("", "", "", "", "stop")
    forms = {one.references is not None: one for one in questions}
    items = conversations(list(forms.values()), {one.id: (nothing, nothing) for one in forms.values()})
    text = "\x1e".join(repr(one) for one in sorted(questions, key=lambda one: one.id))
    return Provenance(
        judge=f"{engine.name} {engine.identity}",
        rubric=" ".join(sorted(judge.rubric(item).label for item in items)) + _room(judge),
        prompts=digest_of_set(len(questions), [text]),
        sampling=f"temperature by category, top-p=1.0 max_tokens={max_tokens}",
    )


def _room(judge: GradingJudge) -> str:
    """How many tokens the judge has, where these are not FastChat's: such grades are not alike."""
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


def _flagged(verdicts: Sequence[Verdict]) -> int:
    """Answers that hold something that speaks to the judge."""
    return sum(
        any(one.answer_id == verdict.answer_ids[0] for one in verdict.injection_suspected) for verdict in verdicts
    )
