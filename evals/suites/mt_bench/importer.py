"""Importer of FastChat's judgements of single answers, which do not hold the lengths of the answers."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from evals.importer import Importer, ResultFile, refuse_twice
from evals.results import Provenance
from evals.settings import Repeats, Settings, find_setting
from evals.suites.mt_bench.data import NUMBERED
from evals.suites.mt_bench.file_summary import summarize
from evals.suites.mt_bench.files import Judgement, Judgements, Questions, judgements_in, read_questions
from evals.suites.mt_bench.result import Grade, MtBenchResult, State
from srlm.digest import digest_of_set
from srlm.errors import UsageError
from srlm.json_files import Row, read_rows

RUBRIC = "FastChat's"


def mt_bench_results(files: Sequence[Judgements], settings: Settings = ()) -> list[MtBenchResult]:
    """Convert the grades of each model to a result, in the order of the files.

    Raises:
        UsageError: two files have the same model.
    """
    refuse_twice("MT-Bench judgements", [model for one in files for model in one.models])
    categories = categories_of(settings)
    return [
        MtBenchResult(
            model,
            f"judgements by {file.judge}",
            Provenance(file.judge, RUBRIC, _digest(categories), "as its file has them"),
            tuple(grades_of(given, categories)),
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


def categories_of(settings: Settings) -> Mapping[int, str]:
    """Return the categories of the questions, by number: those of the setting, else MT-Bench's."""
    questions = find_setting(settings, Questions)
    return NUMBERED if questions is None else questions.categories


def _digest(categories: Mapping[int, str]) -> str:
    """Hash the numbers of the questions: judgements do not hold their words."""
    return digest_of_set(len(categories), [repr(sorted(categories))])


def _read_prompts(place: str) -> Questions | None:
    path = Path(place).expanduser()
    if path.is_dir() or "turns" in read_rows(path)[0].data:
        return Questions({one.id: one.category for one in read_questions(path)})
    return None


def _read(file: ResultFile, rows: Sequence[Row], settings: Settings) -> Judgements:
    repeats = find_setting(settings, Repeats)
    found = judgements_in(rows, categories_of(settings), None if repeats is None else repeats.rule)
    if file.name is None:
        return found
    if len(found.models) > 1:
        raise UsageError(
            f"{file.path} has judgements of {len(found.models)} models ({', '.join(sorted(found.models)[:4])}, "
            f"...), so it cannot be called {file.name}. Leave the name out."
        )
    (grades,) = found.models.values()
    return replace(found, models={file.name: grades}, repeated={file.name: sum(found.repeated.values())})


IMPORTER = Importer(
    format="FastChat's model_judgment/*.jsonl",
    patterns=("*_single.jsonl", "model_judgment/*_single.jsonl", "*/model_judgment/*_single.jsonl"),
    recognise=lambda rows: "question_id" in rows[0].data and "judge" in rows[0].data,
    read=_read,
    models=lambda content: [*content.models],
    convert=mt_bench_results,
    summarize=summarize,
    read_prompts=_read_prompts,
)
