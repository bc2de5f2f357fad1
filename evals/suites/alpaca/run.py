"""Answers against references: the win rate of AlpacaEval 2.0 (arXiv 2404.04475), on its prompts or ours.

The judge's next-token probability of "A" against "B" is the preference, as in AlpacaEval 2; unlike there, each pair
is shown in both orders and their mean counts, because a judge's liking for a position would otherwise be noise or
bias. The answers and preferences are also written as alpaca_eval's files, so that its tools, and
`srlm compare`, read them. Left out: a judge that is shown one order only, as there.
"""

from collections.abc import Sequence

from evals.generate import answers_of, endings_of
from evals.model import Contestant
from evals.options import JUDGE_TOKENS, LEAST_MASS, LIMIT, Job, Preparation
from evals.pairwise import REFERENCE, flagged, sitting
from evals.results import Provenance, files_folder, save, stage_name
from evals.single_turn import MAX_TOKENS, PROMPTS, Output, load_prompts, sampling_of
from evals.suites.alpaca.files import Annotation, Annotations, write_annotations, write_outputs
from evals.suites.alpaca.result import AlpacaResult
from srlm.console import Progress
from srlm.judges.injection import constant_answers
from srlm.judges.judge_card import JudgeCard
from srlm.judges.pairwise import VOTE, Match, Preference, Voting, voting_of
from srlm.judges.preference_data import LabelledSet, load_labelled
from srlm.runs import Run
from srlm.types import Answer, Outcome, Prompt, Sampling

OPTIONS = (PROMPTS, LIMIT, MAX_TOKENS, JUDGE_TOKENS, LEAST_MASS)


def prepare(preparation: Preparation) -> Job:
    """Load the prompts and the labelled pairs for the judge's card."""
    prompts, sampling, labelled = load_prompts(preparation), sampling_of(preparation), load_labelled()
    voting = voting_of(preparation.get(JUDGE_TOKENS), preparation.get(LEAST_MASS))
    return Job(
        lambda models, judge, run, progress: run_alpaca(
            models, prompts, judge, labelled, sampling, run, progress, voting
        )
    )


def run_alpaca(
    contestants: Sequence[Contestant],
    prompts: Sequence[Prompt],
    judge: Contestant,
    labelled: LabelledSet,
    sampling: Sampling,
    run: Run,
    progress: Progress,
    voting: Voting = VOTE,
) -> list[AlpacaResult]:
    """Answer the prompts with every model, judge against the references, store one result a model.

    Args:
        contestants: the models.
        prompts: with references.
        judge: an outside judge.
        labelled: ranked answers on which the judge's card is measured.
        sampling: how the models answer.
        run: where answers, verdicts and results are written.
        progress: what the user sees.
        voting: how the judge chooses.
    """
    identities, answers = answers_of(
        contestants, prompts, sampling, run.ledger, stage="evals/alpaca", progress=progress
    )
    results: list[AlpacaResult] = []
    with sitting("alpaca", judge, labelled, prompts, sampling, run, progress, voting) as court:
        for contestant in contestants:
            model = contestant.name
            preferences, seen = court.decide(model, _matches(prompts, answers[model]), model)
            run.write(stage_name(run, "alpaca", model, "answers"), answers[model].values())
            result = _result(model, identities[model], seen, court.card, prompts, answers, preferences)
            save(run, result)
            _write_files(run, model, court.engine.name, prompts, answers[model], result)
            results.append(result)
    return results


def _matches(prompts: Sequence[Prompt], answers: dict[str, Answer]) -> list[Match]:
    return [
        Match(
            id=answers[prompt.id].id,
            instruction=prompt.instruction,
            first=answers[prompt.id],
            second=Answer(f"{REFERENCE}:{prompt.id}", prompt.id, REFERENCE, prompt.reference or "", "stop"),
        )
        for prompt in prompts
        if prompt.id in answers
    ]


def _result(
    model: str,
    identity: str,
    provenance: Provenance,
    card: JudgeCard,
    prompts: Sequence[Prompt],
    answers: dict[str, dict[str, Answer]],
    preferences: Sequence[Preference],
) -> AlpacaResult:
    outcomes = [
        Outcome(
            prompt_id=found.match.first.prompt_id,
            model=model,
            opponent=REFERENCE,
            preference=found.value,
            orders=found.orders,
            length=len(found.match.first.text),
            opponent_length=len(found.match.second.text),
            verdict_ids=tuple(verdict.id for verdict in found.verdicts),
        )
        for found in preferences
    ]
    judged = {outcome.prompt_id for outcome in outcomes}
    # A prompt whose answer never came stays in the result, without a preference: it must not shrink the denominator.
    missing = [
        Outcome(prompt.id, model, REFERENCE, None, (None, None), 0, len(prompt.reference or ""), ())
        for prompt in prompts
        if prompt.id not in judged
    ]
    return AlpacaResult(
        model,
        identity,
        provenance,
        card,
        (*outcomes, *missing),
        flagged=sum(flagged(found, found.match.first) for found in preferences),
        constant=constant_answers(answers[model].values()),
        endings=endings_of(answers[model].values()),
    )


def _write_files(
    run: Run, model: str, judge: str, prompts: Sequence[Prompt], answers: dict[str, Answer], result: AlpacaResult
) -> None:
    """The same as alpaca_eval's files. A prompt without an answer has no record there, one without a verdict null."""
    preferences = {outcome.prompt_id: outcome.preference for outcome in result.outcomes}
    answered = [prompt for prompt in sorted(prompts, key=lambda prompt: prompt.id) if prompt.id in answers]
    outputs = [Output(one.instruction, answers[one.id].text, model, one.category or "") for one in answered]
    rows = tuple(
        Annotation(
            one.instruction, one.reference or "", answers[one.id].text, preferences[one.id], dataset=one.category or ""
        )
        for one in answered
    )
    folder = files_folder(run, "alpaca", model)
    write_outputs(folder / "model_outputs.json", outputs)
    write_annotations(folder / "annotations.json", Annotations(model, REFERENCE, judge, rows))
