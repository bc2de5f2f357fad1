"""Evaluation suite, as the rest of the package sees it: `evals.suites.SUITES` lists them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Generic, TypeVar

from evals.importer import Importer
from evals.metric import ExtraTable, Metric
from evals.note import Note
from evals.options import Job, Option, Preparation
from evals.pairwise_metrics import results_between
from evals.results import ComparableResult, Results, load, models_of
from evals.sample import Sample
from evals.sample_source import SampleSource
from evals.settings import Settings, find_setting
from srlm.errors import UsageError
from srlm.runs import Run

R = TypeVar("R")
S = TypeVar("S")


@dataclass(frozen=True)
class Selection(Generic[R]):
    """Results of one suite that are compared.

    Attributes:
        results: one per model, in the order of the models; of a suite of pairs, one per pair (`results_between`).
        models: all compared models; the first is the baseline.
        others: all results of the run or the files, for a suite that looks at those of another one.
        settings: objects that change how metrics are computed; see `setting`.
    """

    results: Sequence[R]
    models: Sequence[str]
    others: Results = field(default_factory=Results)
    settings: Settings = ()

    def setting(self, kind: type[S]) -> S | None:
        """Return the setting of a class, None where the comparison has none."""
        return find_setting(self.settings, kind)


def _not_by_eval(preparation: Preparation) -> Job:
    raise UsageError("srlm eval does not run this suite.")


def _no_untrusted(chosen: Selection[Any]) -> dict[str, str]:
    return {}


def _no_tables(chosen: Selection[Any]) -> list[ExtraTable]:
    return []


def _one_group(chosen: Selection[Any]) -> list[Sequence[ComparableResult]]:
    return [chosen.results]


def _no_sentences(metrics: Sequence[Metric], models: Sequence[str], baseline: str) -> list[str]:
    return []


@dataclass(frozen=True)
class Suite(Generic[R]):
    """An evaluation suite: how it runs, how its results are compared, and what other tools' files it reads.

    Attributes:
        name: on the command line, in JSON, and as the folder of its files; also the default of `suite` in `result`.
        title: the heading of its section in the report.
        summary: one line for `srlm eval --help`.
        result: the class of its stored results, with `opponent` if they belong to pairs of models.
        metrics: the rows of a comparison, the first of them the main one.
        notes: captions and warnings below the table.
        options: of `srlm eval`, for `prepare`.
        prepare: checks the options and loads the data, before any model is loaded.
        outside_judge: True if a judge that is none of the models gives verdicts.
        coverage: the key of the metric that has the share of prompts with a verdict, or with an answer to check.
        ranked_by: the keys of metrics by which four or more models are ranked.
        untrusted: models whose metrics cannot be trusted, with the reason.
        extra_tables: tables below the comparison.
        comparable_groups: results that must agree in their provenance, if not all of them with each other.
        sentences: conclusions from metrics, models and baseline, after those on single metrics.
        importer: of another tool's files.
        samples: the prompts, answers and verdicts behind the results, for the report.
        load: reads the results of a run, where they are not the files that `results.save` writes.
        command: the command that makes results, if it is not `srlm eval`.
    """

    name: str
    title: str
    summary: str
    result: type[R]
    metrics: Callable[[Selection[R]], list[Metric]]
    notes: Callable[[Selection[R]], list[Note]]
    options: tuple[Option[Any], ...] = ()
    prepare: Callable[[Preparation], Job] = _not_by_eval
    outside_judge: bool = False
    coverage: str = ""
    ranked_by: tuple[str, ...] = ()
    untrusted: Callable[[Selection[R]], dict[str, str]] = _no_untrusted
    extra_tables: Callable[[Selection[R]], list[ExtraTable]] = _no_tables
    comparable_groups: Callable[[Selection[R]], list[Sequence[ComparableResult]]] = _one_group
    sentences: Callable[[Sequence[Metric], Sequence[str], str], list[str]] = _no_sentences
    importer: Importer[Any, R] | None = None
    samples: Callable[[SampleSource], list[Sample]] | None = None
    load: Callable[[Run], list[R]] | None = None
    command: str = ""

    @property
    def pairwise(self) -> bool:
        """Return True if a result belongs to two models."""
        kind: Any = self.result
        return any(one.name == "opponent" for one in fields(kind))

    def read(self, run: Run) -> list[R]:
        """Read the suite's results of a run.

        Raises:
            DataError: a result file is damaged.
        """
        return load(run, self.result) if self.load is None else self.load(run)

    def models(self, results: Results) -> set[str]:
        """Return the models that have results of the suite."""
        kind: Any = self.result
        return {model for one in results.of(kind).values() for model in models_of(one)}

    def select(self, results: Results, models: Sequence[str], settings: Settings = ()) -> Selection[R] | None:
        """Return the results of these models; None if one of them has none, or no two of them have met."""
        kind: Any = self.result
        found: dict[Any, Any] = results.of(kind)
        if self.pairwise:
            chosen = results_between(found, models)
        else:
            chosen = [found[model] for model in models] if found.keys() >= {*models} else []
        return Selection(chosen, models, results, settings) if chosen else None
