"""Results of suites as files: a JSON file per model, or per pair of models, with all that a comparison needs.

evals/SUITE/M2.json                          the result of M2
evals/SUITE/M2~M1.json                       the result of M2 against M1
evals/SUITE/M2.answers.jsonl, M2.verdicts.jsonl   the records that a result was computed from
evals/SUITE/M2/...                           the same in the files of another tool

The record classes are in `evals.suites.NAME.result`; `evals.suites.load_results` reads all of a run.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self, TypeVar, overload, runtime_checkable
from urllib.parse import quote

from pydantic import TypeAdapter, ValidationError

from srlm.errors import DataError, UsageError
from srlm.filenames import LONGEST, cut, distinct_name, file_name
from srlm.jsonl import explain, read_json, with_nan, without_nan, write_json
from srlm.judges.judge_card import JudgeCard
from srlm.runs import Run


@dataclass(frozen=True)
class Provenance:
    """The conditions of a result, which must agree before two results may be compared.

    `dates` are the first and the last day, in UTC, of the verdicts of a remote judge: the model behind a name changes.
    None for a local judge, and where the days were not recorded.
    """

    judge: str
    rubric: str
    prompts: str
    sampling: str
    dates: tuple[str, str] | None = None

    @property
    def rubric_name(self) -> str:
        """Return the name of the rubric, without its digest."""
        return self.rubric.partition(":")[0]

    @property
    def judge_name(self) -> str:
        """Return the name of the judge, without its identity."""
        return judge_name(self.judge)


def judge_name(judge: str) -> str:
    """Return the name in a provenance's judge, which is "NAME IDENTITY"."""
    return judge.partition(" ")[0]


@dataclass(frozen=True)
class Endings:
    """Counts of how a model's answers ended. `empty` ones hold no word; `spent` of these hold reasoning alone.

    `cut` ones were ended by the server, neither by themselves nor at the token limit. Results of older versions have
    zeros.
    """

    answers: int = 0
    empty: int = 0
    spent: int = 0
    cut: int = 0


NO_ENDINGS = Endings()


class Result(Protocol):
    """A stored result: a frozen dataclass with the model's name, whose `suite` defaults to the suite's name."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def model(self) -> str:
        """Return the model's name."""

    @property
    def suite(self) -> str:
        """Return the suite's name, which is also the folder of its files."""


class ComparableResult(Result, Protocol):
    """A result with the conditions under which it was made."""

    @property
    def provenance(self) -> Provenance:
        """Return the conditions."""


@runtime_checkable
class PairResult(Protocol):
    """A result of two models, from the side of `model`."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def model(self) -> str:
        """Return the model whose wins are counted."""

    @property
    def opponent(self) -> str:
        """Return the other model."""

    @property
    def suite(self) -> str:
        """Return the suite's name."""

    def swapped(self) -> Self:
        """Return the same result from the opponent's side."""


@runtime_checkable
class CardedResult(Protocol):
    """A result with the reliability card of its judge; None if the card was not measured."""

    @property
    def card(self) -> JudgeCard | None:
        """Return the card."""


T = TypeVar("T")
R = TypeVar("R", bound=Result)
P = TypeVar("P", bound=PairResult)


@dataclass(frozen=True)
class Results:
    """Results of a run or of files: by record class, then by model or pair of models."""

    by_kind: Mapping[type[Any], Mapping[Any, Any]] = field(default_factory=dict)

    @overload
    def of(self, kind: type[P]) -> dict[tuple[str, str], P]: ...  # type: ignore[overload-overlap]

    @overload
    def of(self, kind: type[R]) -> dict[str, R]: ...

    def of(self, kind: type[Any]) -> dict[Any, Any]:
        """Return all results of one record class, by model, or by (model, opponent)."""
        return dict(self.by_kind.get(kind, {}))

    def __iter__(self) -> Iterator[Any]:
        """Yield every result."""
        return (one for of_kind in self.by_kind.values() for one in of_kind.values())


FOREIGN_FILES = frozenset({"annotations.json", "model_outputs.json"})
"""Names of AlpacaEval's files, which belong into a folder of their own."""


def models_of(result: Result | PairResult) -> tuple[str, ...]:
    """Return the models of a result: one, or the model and its opponent."""
    return (result.model, result.opponent) if isinstance(result, PairResult) else (result.model,)


def collect(results: Iterable[Result | PairResult]) -> Results:
    """Sort results by record class and model."""
    found: dict[type[Any], dict[Any, Any]] = {}
    for one in results:
        models = models_of(one)
        found.setdefault(type(one), {})[models if len(models) > 1 else models[0]] = one
    return Results(found)


def merge(results: Results, others: Iterable[Result | PairResult]) -> Results:
    """Add results, such as those of files, to others.

    Raises:
        UsageError: both have results of one model in the same suite.
    """
    known = {(one.suite, *models_of(one)) for one in results}
    more = list(others)
    for one in more:
        if (one.suite, *models_of(one)) in known:
            raise UsageError(
                f"{one.model} has results of {one.suite} in the run and in a file. Give the file's another name: "
                "NAME=FILE"
            )
    return collect([*results, *more])


def save(run: Run, result: Result | PairResult) -> None:
    """Write a result under its suite and model, or pair of models."""
    models = models_of(result)
    path = run.folder / "evals" / result.suite / f"{file_stem(run, result.suite, *models)}.json"
    write_json(path, without_nan(asdict(result)))
    former = path.with_name(f"{_former_stem(models)}.json")
    if _only_dots(models) and former != path:
        former.unlink(missing_ok=True)  # it is of the same model, and would be read next to the new one


def load(run: Run, kind: type[T]) -> list[T]:
    """Read all results of one record class.

    Raises:
        DataError: a result file is damaged.
    """
    folder = run.folder / "evals" / suite_name(kind)
    return [read_file(path, kind) for path in sorted(folder.glob("*.json")) if not _is_foreign(path)]


def load_one(run: Run, kind: type[R], model: str) -> R | None:
    """Read the result of one model, if there is any.

    Raises:
        DataError: the file is damaged.
    """
    suite = suite_name(kind)
    path = run.folder / "evals" / suite / f"{file_stem(run, suite, model)}.json"
    found: R | None = read_file(path, kind) if path.exists() else None
    return found


def read_file(path: Path, kind: Any) -> Any:
    """Read one record of a class from its file.

    Raises:
        DataError: the file is damaged.
    """
    try:
        return _adapter(kind).validate_python(with_nan(read_json(path)))
    except (ValidationError, OverflowError) as error:
        raise DataError(
            path, f"is not a result of this version ({explain(error)}); evaluate the model again."
        ) from None


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def suite_name(kind: type[Any]) -> str:
    """Return the suite that a record class belongs to."""
    return str(kind.suite)


def file_stem(run: Run, suite: str, *models: str) -> str:
    """Return the name of a model's or a pair's files in a suite: "openai:gpt-4o" -> "openai%3Agpt-4o".

    Existing files keep their names. Any two models have different files, also on disks that do not distinguish M2
    from m2.
    """
    try:
        taken = [one.name for one in (run.folder / "evals" / suite).iterdir()]
    except OSError:
        taken = []
    names = [file_name(model) for model in models]
    name = names[0] if len(names) == 1 else "~".join(one.replace("~", "%7E") for one in names)
    name = cut(name, "~".join(models), 2 * LONGEST + 1)  # signs may have become three
    return distinct_name(taken, name if _only_dots(models) else _former_stem(models), name, "~".join(models))


def files_folder(run: Run, suite: str, model: str) -> Path:
    """Return the folder of a result in the files of another tool."""
    return run.folder / "evals" / suite / file_stem(run, suite, model)


def stage_name(run: Run, suite: str, models: str | tuple[str, str], records: str) -> str:
    """Return the stage of a file of records that belongs to the result of a model or of a pair."""
    return f"evals/{suite}/{file_stem(run, suite, *((models,) if isinstance(models, str) else models))}.{records}"


def _is_foreign(path: Path) -> bool:
    """Return True for another tool's file, which earlier versions put here for a model that is called "."."""
    if path.name not in FOREIGN_FILES and not path.name.startswith("results_"):
        return False
    data = read_json(path)
    return not (isinstance(data, dict) and "suite" in data)


def _former_stem(models: Sequence[str]) -> str:
    """Return the name that earlier versions gave, without a limit and for one operating system."""
    names = [quote(model, safe="", errors="surrogatepass") for model in models]
    return names[0] if len(names) == 1 else "~".join(name.replace("~", "%7E") for name in names)


def _only_dots(models: Sequence[str]) -> bool:
    """Return True if the former name consists of dots alone, which names a folder."""
    return len(models) == 1 and set(models[0]) == {"."}
