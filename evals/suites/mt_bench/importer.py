"""FastChat's judgements of single answers as results, one a model; how long the answers were is not in them."""

from collections.abc import Sequence

from evals.results import MtBenchResult, Provenance
from evals.suites.mt_bench.data import NUMBERED
from evals.suites.mt_bench.files import Judgements
from evals.suites.mt_bench.rescore import grades_of
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


def _digest() -> str:
    """Of the published questions, by their numbers: judgements do not hold the words."""
    return digest_of_set(len(NUMBERED), [repr(sorted(NUMBERED))])
