"""FastChat's judgements of single answers as results, one a model; how long the answers were is not in them."""

from collections.abc import Mapping, Sequence

from evals.results import Provenance
from evals.suites.mt_bench.data import NUMBERED
from evals.suites.mt_bench.files import Judgement, Judgements
from evals.suites.mt_bench.result import Grade, MtBenchResult, State
from srlm.digest import digest_of_set

RUBRIC = "FastChat's"


def mt_bench_results(files: Sequence[Judgements]) -> list[MtBenchResult]:
    """One result a model of each file, in their order."""
    return [
        MtBenchResult(
            model,
            f"judgements by {file.judge}",
            Provenance(file.judge, RUBRIC, _digest(), "as its file has them"),
            tuple(grades_of(given, NUMBERED)),
        )
        for file in files
        for model, given in file.models.items()
    ]


def grades_of(given: Sequence[Judgement], categories: Mapping[int, str]) -> list[Grade]:
    """Convert judgements to grades, in their order, followed by the turns without a record."""
    seen = {(one.question, one.turn) for one in given}
    found = [Grade(one.question, categories[one.question], one.turn, one.score, state_of(one)) for one in given]
    for question, category in categories.items():
        found += [Grade(question, category, turn, None, "absent") for turn in (1, 2) if (question, turn) not in seen]
    return found


def state_of(one: Judgement) -> State:
    """Return the state of the grade of a judgement."""
    if one.score is not None:
        return "scored"
    return "failed" if one.broken else "unparsed"


def _digest() -> str:
    """Of the published questions, by their numbers: judgements do not hold the words."""
    return digest_of_set(len(NUMBERED), [repr(sorted(NUMBERED))])
