"""Samples of MT-Bench: each question with the answers to both turns and the grades of them."""

from evals.results import stage_name
from evals.sample import Mark, Reply, Sample, flags, opinion
from evals.sample_source import SampleSource, by_answer
from evals.suites.mt_bench.result import Grade, MtBenchResult
from srlm.strip_reasoning import length_note
from srlm.types import Answer, Verdict


def samples(source: SampleSource) -> list[Sample]:
    """Return the questions that models were asked."""
    results = source.results.of(MtBenchResult)
    found = source.prompts("mt-bench", (one.provenance.prompts for one in results.values()))
    for model, result in results.items():
        answers = {
            f"{one.prompt_id}-{one.id.rpartition('-t')[2]}": one
            for one in source.run.records(stage_name(source.run, "mt-bench", model, "answers"), Answer)
        }
        verdicts = by_answer(source.verdicts("mt-bench", model))
        for grade in result.grades:
            answer = answers.get(f"{grade.question}-{grade.turn}")
            found.add(str(grade.question), _reply(model, grade, answer, verdicts.get(answer.id, []) if answer else []))
    return found.samples()


def _reply(model: str, grade: Grade, answer: Answer | None, verdicts: list[Verdict]) -> Reply:
    outcome = "graded" if grade.score is not None else grade.state
    score = "" if grade.score is None else f"{grade.score:g}"
    return Reply(
        model,
        answer.text if answer else "",
        f"turn {grade.turn}" + (f", {length_note(answer)}" if answer else ""),
        (Mark(model, outcome, turn=str(grade.turn), score=score),),
        tuple(opinion(one, "on this answer") for one in verdicts),
        flags((one for verdict in verdicts for one in verdict.injection_suspected), answer.id) if answer else (),
        answer.thoughts if answer else "",
    )
