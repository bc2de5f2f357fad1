"""Whose file it is, found by what is in it; all of several files together, and no model twice in one suite."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from evals.alpaca_files import Annotations, annotations_in
from evals.imported.alpaca import alpaca_results
from evals.imported.mt_bench import mt_bench_results
from evals.imported.nlp import nlp_results
from evals.mt_bench_files import Judgements, judgements_in
from evals.results import NlpResult, Result
from srlm.errors import DataError, UsageError
from srlm.rows import SUFFIXES, read_rows, read_text

KINDS = "AlpacaEval's annotations.json, FastChat's model_judgment/*.jsonl or lm-eval's results_*.json"


@dataclass(frozen=True)
class ResultFile:
    """A file, and what its model is to be called, where that is not what the file says."""

    path: Path
    name: str | None = None


@dataclass(frozen=True)
class Imported:
    """What files hold, and the models of each of them."""

    results: list[Result]
    models: list[list[str]]


def result_file(word: str) -> ResultFile | None:
    """A file where a model could be named: FILE, or NAME=FILE. None for anything else."""
    name, _, place = word.partition("=")
    if name and _names_a_file(place) and not Path(word).is_file():
        return ResultFile(Path(place).expanduser(), name)
    return ResultFile(Path(word).expanduser()) if _names_a_file(word) else None


def _names_a_file(word: str) -> bool:
    return word.endswith(SUFFIXES) or Path(word).expanduser().is_file()


def read_results(files: Sequence[ResultFile]) -> Imported:
    """All results of the files.

    Annotations of one benchmark belong together: see `alpaca_results`. Files of lm-eval on different tasks of one model
    become one result.

    Raises:
        DataError: a file is of none of the kinds, or a record in it is wrong.
        UsageError: two files are of the same model, or a file of several models was given one name.
    """
    read = [_read(file) for file in files]
    annotations = [one for one in read if isinstance(one, Annotations)]
    judgements = [one for one in read if isinstance(one, Judgements)]
    tasks = [one for one in read if isinstance(one, NlpResult)]
    _once("AlpacaEval's annotations", [one.model for one in annotations])
    _once("MT-Bench judgements", [model for one in judgements for model in one.models])
    results: list[Result] = [*alpaca_results(annotations), *mt_bench_results(judgements)]
    models = [[*one.models] if isinstance(one, Judgements) else [one.model] for one in read]
    return Imported([*results, *_together(tasks)], models)


def _read(file: ResultFile) -> Annotations | Judgements | NlpResult:
    text = read_text(file.path)
    whole = _object(text)
    if whole is not None and "results" in whole and "configs" in whole:
        result = nlp_results(file.path, whole)
        return result if file.name is None else result.called(file.name)
    first = (rows := read_rows(file.path))[0].data
    if "generator_2" in first:
        annotations = annotations_in(rows)
        return annotations if file.name is None else replace(annotations, model=file.name)
    if "question_id" in first and "judge" in first:
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
    raise DataError(file.path, f"is no file of results that srlm knows: {KINDS}.")


def _object(text: str) -> dict[str, Any] | None:
    """The one JSON object that a text is; None for an array, and for several objects."""
    if not text.lstrip().startswith("{"):
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _once(what: str, models: Sequence[str]) -> None:
    twice = next((model for model in models if models.count(model) > 1), None)
    if twice is not None:
        raise UsageError(f"Two files are {what} of {twice}. Leave one out, or give it another name: NAME=FILE")


def _together(found: Sequence[NlpResult]) -> list[NlpResult]:
    models: dict[str, NlpResult] = {}
    for one in found:
        before = models.get(one.model, replace(one, tasks={}))
        again = before.tasks.keys() & one.tasks.keys()
        if again:
            raise UsageError(
                f"Two files are lm-eval's results of {one.model} on {min(again)}. Leave one out, or give it another "
                "name: NAME=FILE"
            )
        models[one.model] = replace(before, tasks={**before.tasks, **one.tasks})
    return [*models.values()]
