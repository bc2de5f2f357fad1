"""Importer of FastChat's judgements of single answers, which do not hold the lengths of the answers."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from evals.importer import Importer, ResultFile, refuse_twice
from evals.results import Provenance
from evals.suites.mt_bench.data import NUMBERED
from evals.suites.mt_bench.files import Judgement, Judgements, judgements_in
from evals.suites.mt_bench.result import Grade, MtBenchResult, State
from srlm.digest import digest_of_set
from srlm.errors import UsageError
from srlm.json_files import Row

RUBRIC = "FastChat's"


def mt_bench_results(files: Sequence[Judgements]) -> list[MtBenchResult]:
    """Convert the grades of each model to a result, in the order of the files.

    Raises:
        UsageError: two files have the same model.
    """
    refuse_twice("MT-Bench judgements", [model for one in files for model in one.models])
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
    """Hash the numbers of the published questions: judgements do not hold their words."""
    return digest_of_set(len(NUMBERED), [repr(sorted(NUMBERED))])


def _read(file: ResultFile, rows: Sequence[Row]) -> Judgements:
    found = judgements_in(rows)
    if file.name is None:
        return found
    if len(found.models) > 1:
        raise UsageError(
            f"{file.path} has judgements of {len(found.models)} models ({', '.join(sorted(found.models)[:4])}, "
            f"...), so it cannot be called {file.name}. Leave the name out."
        )
    (grades,) = found.models.values()
    return replace(found, models={file.name: grades})


IMPORTER = Importer(
    format="FastChat's model_judgment/*.jsonl",
    patterns=("*_single.jsonl", "model_judgment/*_single.jsonl", "*/model_judgment/*_single.jsonl"),
    recognise=lambda rows: "question_id" in rows[0].data and "judge" in rows[0].data,
    read=_read,
    models=lambda content: [*content.models],
    convert=mt_bench_results,
)
