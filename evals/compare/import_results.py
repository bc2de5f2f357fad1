"""Import of other tools' result files: the tool is recognised by the content of a file."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from evals import suites
from evals.importer import AnyImporter, FileSummary, ResultFile
from evals.settings import Settings
from srlm.errors import DataError
from srlm.json_files import SUFFIXES, read_rows
from srlm.judges.combination import is_run_file

OTHERS = {
    "lighteval": {"config_general", "results"},
    "Inspect": {"eval", "status"},
    "RewardBench": {"model", "model_type"},
    "AlpacaEval's outputs, which are not judged yet (srlm judge FILE)": {"instruction", "output", "generator"},
}
"""Files that are not read, by fields that they have."""


@dataclass(frozen=True)
class Imported:
    """The results in files, and the models of each file."""

    results: list[Any]
    models: list[list[str]]
    summaries: list[FileSummary] = field(default_factory=list)


def result_file(word: str) -> ResultFile | None:
    """Return the file that FILE or NAME=FILE names in place of a model; None for anything else."""
    name, _, place = word.partition("=")
    if name and _names_a_file(place) and not Path(word).is_file():
        return ResultFile(Path(place).expanduser(), name)
    return ResultFile(Path(word).expanduser()) if _names_a_file(word) else None


def read_results(files: Sequence[ResultFile], settings: Settings = ()) -> Imported:
    """Read the results of all files. Several files of one tool may belong together, such as tasks of one model.

    Args:
        files: to read.
        settings: see `evals.settings`.

    Raises:
        DataError: a file is of none of the known tools, or a record in it is wrong.
        UsageError: two files are of the same model, or a file of several models was given one name.
    """
    contents: dict[AnyImporter, list[Any]] = {one: [] for one in _importers()}
    models: list[list[str]] = []
    for file in files:
        importer, content = _read(file, settings)
        contents[importer].append(content)
        models.append(importer.models(content))
    results: list[Any] = []
    summaries: list[FileSummary] = []
    for importer, found in contents.items():
        converted = importer.convert(found, settings)
        results += converted
        summaries += importer.summarize(found, converted, settings)
    return Imported(results, models, summaries)


def read_prompts(place: str) -> object:
    """Read the prompts of a benchmark, as a setting.

    Raises:
        DataError: no suite knows what is there.
    """
    found = (importer.read_prompts(place) for importer in _importers())
    setting = next((one for one in found if one is not None), None)
    if setting is None:
        raise DataError(Path(place), "holds no prompts of a benchmark whose results srlm reads.")
    return setting


def _importers() -> list[AnyImporter]:
    return [one.importer for one in suites.SUITES if one.importer is not None]


def _formats() -> str:
    """Name the files that are read: "A, B or C"."""
    *others, last = (one.format for one in _importers())
    return f"{', '.join(others)} or {last}"


def _read(file: ResultFile, settings: Settings) -> tuple[AnyImporter, Any]:
    _refuse_folder(file.path)
    rows = read_rows(file.path)
    for importer in _importers():
        if importer.recognise(rows):
            return importer, importer.read(file, rows, settings)
    keys = rows[0].data.keys()
    tool = next((f" It looks like a file of {tool}." for tool, known in OTHERS.items() if known <= keys), "")
    raise rows[0].error_with_hint(f"is no file of results that srlm knows: {_formats()}.{tool}")


def _names_a_file(word: str) -> bool:
    if not word:
        return False
    path = Path(word).expanduser()
    if is_run_file(word):
        return False  # the name of a combination of rewards, which has results in a run
    return word.endswith(SUFFIXES) or path.is_file() or _holds_results(path)


def _refuse_folder(path: Path) -> None:
    """Name a file in a folder that was given in place of one."""
    if not path.is_dir():
        return
    found = [one for pattern in _patterns() for one in islice(path.glob(pattern), 200)]
    if not found:
        raise DataError(path, f"is a folder, and holds no results: {_formats()}.")
    newest = max(found, key=lambda one: one.name)
    raise DataError(path, f"is a folder; name the file in it, such as {newest} (there are {len(found)}).")


def _holds_results(path: Path) -> bool:
    """Check if another tool has written its results into a folder, which is neither a run nor a checkpoint."""
    if not path.is_dir() or (path / "run.yaml").exists() or (path / "config.json").exists():
        return False
    return any(next(path.glob(pattern), None) is not None for pattern in _patterns())


def _patterns() -> list[str]:
    """Return the places in a folder where the tools leave their files."""
    return [pattern for one in _importers() for pattern in one.patterns]
