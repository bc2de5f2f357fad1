"""Samples of the suite verifiable: each prompt with all models' answers and the checks of its instructions."""

from evals.sample import Judgement, OutcomeTag, Reply, Sample
from evals.sample_source import UNANSWERED, SampleSource
from evals.suites.verifiable.result import PromptCheck, VerifiableResult
from srlm.strip_reasoning import length_note
from srlm.types import Answer


def samples(source: SampleSource) -> list[Sample]:
    """Return the prompts that models were asked."""
    results = source.results.of(VerifiableResult)
    found = source.prompts("verifiable", (one.provenance.prompts for one in results.values()))
    for model, result in results.items():
        answers = source.answers("verifiable", model)
        for one in result.checked:
            found.add(one.prompt_id, _reply(model, result.provenance.judge, one, answers.get(one.prompt_id)))
    return found.samples()


def _reply(model: str, checker: str, check: PromptCheck, answer: Answer | None) -> Reply:
    judgements: tuple[Judgement, ...] = ()
    if check.strict is None:
        tag = OutcomeTag(model, UNANSWERED)
    else:
        tag = OutcomeTag(model, _followed(all(check.strict)))
        judgements = tuple(
            Judgement(checker, f"on {name}", _followed(kept), "")
            for name, kept in zip(check.instructions, check.strict, strict=True)
        )
    text, note = (answer.text, length_note(answer)) if answer else ("", "no answer came")
    return Reply(model, text, note, (tag,), judgements, thoughts=answer.thoughts if answer else "")


def _followed(kept: bool) -> str:
    return "followed" if kept else "not followed"
