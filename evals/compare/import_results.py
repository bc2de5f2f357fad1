"""Whose file it is, found by what is in it; all of several files together, and no model twice in one suite."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from evals.results import Result
from evals.suites.alpaca.files import Annotations, annotations_in
from evals.suites.alpaca.importer import alpaca_results
from evals.suites.mt_bench.files import Judgements, judgements_in
from evals.suites.mt_bench.importer import mt_bench_results
from evals.suites.nlp.importer import is_nlp_file, nlp_results
from evals.suites.nlp.result import NlpResult
from srlm.errors import DataError, UsageError
from srlm.json_files import SUFFIXES, read_rows

KINDS = "AlpacaEval's annotations.json, FastChat's model_judgment/*.jsonl or lm-eval's results_*.json"

PATTERNS = (
    "results_*.json",
    "*/results_*.json",
    "*_single.jsonl",
    "model_judgment/*_single.jsonl",
    "*/model_judgment/*_single.jsonl",
    "annotations.json",
    "*/annotations.json",
)
"""Where other tools leave their files of results in a folder."""
OTHERS = {
    "lighteval": {"config_general", "results"},
    "Inspect": {"eval", "status"},
    "RewardBench": {"model", "model_type"},
    "AlpacaEval's outputs, which nobody judged yet (srlm judge FILE)": {"instruction", "output", "generator"},
}
"""Files that are not read, by fields that they have."""


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
    if not word:
        return False
    path = Path(word).expanduser()
    return word.endswith(SUFFIXES) or path.is_file() or _holds_results(path)


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
    _refuse_folder(file.path)
    first = (rows := read_rows(file.path))[0].data
    if len(rows) == 1 and is_nlp_file(first) and "config_general" not in first:
        result = nlp_results(file.path, first, file.name)
        return result if file.name is None else result.renamed(file.name)
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
    form = next((f" It looks like a file of {tool}." for tool, keys in OTHERS.items() if keys <= first.keys()), None)
    raise rows[0].unlike(f"is no file of results that srlm knows: {KINDS}.{form or ''}")


def _refuse_folder(path: Path) -> None:
    """Say what of a folder can be named."""
    if not path.is_dir():
        return
    found = [one for pattern in PATTERNS for one in islice(path.glob(pattern), 200)]
    if not found:
        raise DataError(path, f"is a folder, and holds no results: {KINDS}.")
    newest = max(found, key=lambda one: one.name)
    raise DataError(path, f"is a folder; name the file in it, such as {newest} (there are {len(found)}).")


def _holds_results(path: Path) -> bool:
    """Whether a folder is what lm-eval, FastChat or alpaca_eval have written their results into. A run is none."""
    if not path.is_dir() or (path / "run.yaml").exists() or (path / "config.json").exists():
        return False
    return any(next(path.glob(pattern), None) is not None for pattern in PATTERNS)


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
