"""Run of AlpacaEval 2.0 (arXiv 2404.04475): the win rate against reference answers, on its prompts or ours.

The judge's next-token probability of "A" against "B" is the preference, as in AlpacaEval 2. Unlike there, each pair is
judged in both orders and the mean counts, so that position bias is neither noise nor bias of the win rate. The answers
and preferences are also written as alpaca_eval's files, for its tools and for `srlm compare FILE`. Left out: verdicts
in one order only, as in AlpacaEval.
"""

from collections.abc import Sequence

from evals import pairwise
from evals.generate import count_endings, generate_answers
from evals.model import EvalModel
from evals.options import Job, Preparation
from evals.pairwise import (
    REFERENCE,
    PairwiseSetup,
    has_injection,
    make_outcome,
    open_pairwise_judge,
    prepare_pairwise,
)
from evals.results import Provenance, files_folder, save, stage_name
from evals.single_turn import Output
from evals.suites.alpaca.files import Annotation, Annotations, write_annotations, write_outputs
from evals.suites.alpaca.result import AlpacaResult
from srlm.console import Progress
from srlm.judges.injection import constant_answers
from srlm.judges.judge_card import JudgeCard
from srlm.judges.pairwise import Match, Preference
from srlm.runs import Run
from srlm.types import Answer, Prompt

OPTIONS = pairwise.OPTIONS


def prepare(preparation: Preparation) -> Job:
    """Load the prompts and the labelled pairs for the judge's card."""
    setup = prepare_pairwise(preparation, answered=True)
    return Job(lambda models, judge, run, progress: run_alpaca(models, judge, setup, run, progress))


def run_alpaca(
    models: Sequence[EvalModel], judge: EvalModel, setup: PairwiseSetup, run: Run, progress: Progress
) -> list[AlpacaResult]:
    """Answer the prompts with each model, judge the answers against the references, and store one result per model.

    Args:
        models: to evaluate.
        judge: an outside judge.
        setup: prompts with references, sampling, and the way in which the judge is asked.
        run: stores answers, verdicts and results.
        progress: shows the progress.
    """
    prompts = setup.prompts
    identities, answers = generate_answers(
        models, prompts, setup.sampling, run.ledger, stage="evals/alpaca", progress=progress
    )
    results: list[AlpacaResult] = []
    with open_pairwise_judge("alpaca", judge, setup, run, progress) as session:
        for name in (one.name for one in models):
            preferences, provenance = session.judge_pairs(name, _matches(prompts, answers[name]), name)
            run.write(stage_name(run, "alpaca", name, "answers"), answers[name].values())
            result = _result(name, identities[name], provenance, session.card, prompts, answers[name], preferences)
            save(run, result)
            _write_files(run, session.engine.name, prompts, answers[name], result)
            results.append(result)
    return results


def _matches(prompts: Sequence[Prompt], answers: dict[str, Answer]) -> list[Match]:
    return [
        Match(
            id=answers[prompt.id].id,
            instruction=prompt.instruction,
            first=answers[prompt.id],
            second=_reference(prompt),
            context=prompt.context,
        )
        for prompt in prompts
        if prompt.id in answers
    ]


def _reference(prompt: Prompt) -> Answer:
    return Answer(f"{REFERENCE}:{prompt.id}", prompt.id, REFERENCE, prompt.reference or "", "stop")


def _result(
    model: str,
    identity: str,
    provenance: Provenance,
    card: JudgeCard,
    prompts: Sequence[Prompt],
    answers: dict[str, Answer],
    preferences: Sequence[Preference],
) -> AlpacaResult:
    pair = (model, REFERENCE)
    outcomes = [
        make_outcome(pair, found.match.first.prompt_id, found.match.first, found.match.second, found)
        for found in preferences
    ]
    judged = {outcome.prompt_id for outcome in outcomes}
    missing = [
        make_outcome(pair, prompt.id, None, _reference(prompt), None) for prompt in prompts if prompt.id not in judged
    ]
    return AlpacaResult(
        model,
        identity,
        provenance,
        card,
        (*outcomes, *missing),
        flagged=sum(has_injection(found, found.match.first) for found in preferences),
        constant=constant_answers(answers.values()),
        endings=count_endings(answers.values()),
    )


def _write_files(
    run: Run, judge: str, prompts: Sequence[Prompt], answers: dict[str, Answer], result: AlpacaResult
) -> None:
    """Write alpaca_eval's files. A prompt without an answer has no record there, one without a verdict has null."""
    model = result.model
    preferences = {outcome.prompt_id: outcome.preference for outcome in result.outcomes}
    answered = [prompt for prompt in sorted(prompts, key=lambda prompt: prompt.id) if prompt.id in answers]
    outputs = [
        Output(one.instruction, answers[one.id].text, model, one.category or "", one.context) for one in answered
    ]
    rows = tuple(
        Annotation(
            one.instruction,
            one.reference or "",
            answers[one.id].text,
            preferences[one.id],
            dataset=one.category or "",
            context=one.context,
        )
        for one in answered
    )
    folder = files_folder(run, "alpaca", model)
    write_outputs(folder / "model_outputs.json", outputs)
    write_annotations(folder / "annotations.json", Annotations(model, REFERENCE, judge, rows))
