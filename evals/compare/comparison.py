"""Comparison of models: each metric with its interval, each difference to the baseline with a paired test.

Only results of the same judge, rubric, prompts and sampling are compared, judged at about the same time. Every suite of
`evals.suites.SUITES` that has results of all models has its share.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from itertools import chain
from shlex import join
from typing import Any

from evals import suites as registry
from evals.answer_checks import untrusted_sentence
from evals.compare.ranking import ranking
from evals.compare.sentences import difference_sentences
from evals.metric import ExtraTable, Metric
from evals.note import Note, caption, warning
from evals.results import CardedResult, ComparableResult, Results
from evals.settings import Settings
from evals.suite import Selection, Suite
from srlm.errors import UnknownName, UsageError
from srlm.judges.judge_card import JudgeCard

MUST_MATCH = ("judge", "rubric", "prompts", "sampling", "dates")
"""The parts of a provenance in which results must agree to be compared, unless the user allows otherwise."""

MAX_DAYS_APART = 7
"""Days that verdicts of a server may be apart: the model behind its name may have changed in the meantime."""

_EVALUATE = "Evaluate both with the same settings"
_REMEDY = {
    "dates": f"The model behind the judge's name may have changed: judge both again within {MAX_DAYS_APART} days"
}

Dates = tuple[str, str] | None

Breakdown = Callable[[Sequence[str], Metric], ExtraTable | None]
"""Divides a suite's first metric by the labels of its prompts, whose sets are named by digest; None without labels."""


@dataclass(frozen=True)
class SuiteJudge:
    """The judge of a suite's answers and its rubric; `card` is None where the suite has none."""

    suite: str
    judge: str
    rubric: str
    card: JudgeCard | None


@dataclass(frozen=True)
class Comparison:
    """A table of metrics with its notes and conclusions.

    Attributes:
        models: all of them, the baseline first.
        baseline: the model that the others are compared with.
        metrics: the rows.
        notes: captions and warnings.
        conclusions: which differences are significant and which are not, in sentences.
        extra_tables: rankings, pairs of models, breakdowns.
        judges: of the suites with an outside judge.
        untrusted: the models whose metrics cannot be trusted, with the reason.
    """

    models: list[str]
    baseline: str
    metrics: list[Metric]
    notes: list[Note]
    conclusions: list[str]
    extra_tables: list[ExtraTable] = field(default_factory=list)
    judges: list[SuiteJudge] = field(default_factory=list)
    untrusted: dict[str, str] = field(default_factory=dict)
    files: list[dict[str, Any]] = field(default_factory=list)

    @property
    def captions(self) -> list[str]:
        """Return the printed lines of the notes."""
        return list(map(str, self.notes))


@dataclass(frozen=True)
class _Part:
    """One suite's share of a comparison."""

    suite: Suite[Any]
    chosen: Selection[Any]
    groups: list[Sequence[ComparableResult]]
    metrics: list[Metric]
    untrusted: dict[str, str]

    @property
    def results(self) -> list[ComparableResult]:
        """Return all results that it was computed from."""
        return [*chain(*self.groups)]

    @property
    def prompts(self) -> list[str]:
        """Return the digests of the prompt sets."""
        return [*dict.fromkeys(one.provenance.prompts for one in self.results)]


def compare_models(
    results: Results,
    models: Sequence[str],
    baseline: str,
    allow_mismatch: Collection[str] = (),
    breakdown: Breakdown | None = None,
    settings: Settings = (),
    suites: Sequence[Suite[Any]] | None = None,
) -> Comparison:
    """Compare models in every suite that has results of all of them.

    Args:
        results: of a run, or of files.
        models: by name.
        baseline: the model that the others are compared with.
        allow_mismatch: the parts of `MUST_MATCH` in which the results may differ; a warning names them.
        breakdown: divides each suite's first metric by the labels of its prompts, if that is wanted.
        settings: for the metrics of suites, by class: `AlpacaDifficulties` for AlpacaEval's own length control.
        suites: to compare in; all suites, if not given.

    Raises:
        UnknownName: a model has no results; names those that have.
        UsageError: the results are of different judges, rubrics, prompts, samplings or dates.
    """
    suites = registry.SUITES if suites is None else suites
    with_results = {one.name: one.models(results) for one in suites}
    known = sorted({*chain(*with_results.values())})
    for model in [*models, baseline]:
        if model not in known:
            raise UnknownName("Among these results, the model", model, known, "Evaluate it first: srlm eval")
    models = [baseline, *(model for model in models if model != baseline)]
    parts = [_part(one, chosen) for one in suites if (chosen := one.select(results, models, settings))]
    if not parts:
        raise UsageError(
            f"No suite has results of all of {', '.join(models)}. Evaluate them with: srlm eval {join(models)}"
        )
    mismatches = [note for part in parts for group in part.groups if (note := _mismatch(group, allow_mismatch))]
    notes = [note for part in parts for note in part.suite.notes(part.chosen)]
    shown = {part.suite.name for part in parts}
    partly = [name for name, having in with_results.items() if having & {*models} and name not in shown]
    if partly:
        notes.append(caption(f"Not every model has results of {', '.join(partly)}: left out."))
    notes += _same_models(parts)
    breakdowns, undivided = _breakdowns(parts, breakdown)
    return Comparison(
        models=list(models),
        baseline=baseline,
        metrics=[metric for part in parts for metric in part.metrics],
        notes=[*mismatches, *dict.fromkeys([*notes, *undivided])],  # two suites of one judge show its card once
        conclusions=[
            *(line for part in parts for line in _conclusions(part, models, baseline)),
            *(line for part in parts for line in part.suite.sentences(part.metrics, models, baseline)),
        ],
        extra_tables=[*(table for part in parts for table in _tables(part)), *breakdowns],
        judges=_judges(parts),
        untrusted={model: reason for part in parts for model, reason in part.untrusted.items()},
    )


def _part(suite: Suite[Any], chosen: Selection[Any]) -> _Part:
    groups = suite.comparable_groups(chosen)
    metrics = [replace(metric, suite=suite.name) for metric in suite.metrics(chosen)]
    if not all(len({one.provenance.prompts for one in group}) == 1 for group in groups):
        metrics = [_untested(metric) for metric in metrics]
    return _Part(suite, chosen, groups, metrics, suite.untrusted(chosen))


def _same_models(parts: Sequence[_Part]) -> list[Note]:
    """Return a caption for names of one model: results under the same conditions with the same fingerprint."""
    names: dict[tuple[str, Any], dict[str, None]] = {}
    for one in (result for part in parts for result in part.results):
        if identity := getattr(one, "identity", ""):
            names.setdefault((identity, one.provenance), {})[one.model] = None
    groups = dict.fromkeys(tuple(same) for same in names.values() if len(same) > 1)
    return [
        caption(f"{' and '.join(group)} are one model: the fingerprint of their files is the same.") for group in groups
    ]


def _conclusions(part: _Part, models: Sequence[str], baseline: str) -> list[str]:
    """Return the sentences on a suite's differences; of a model that cannot be trusted only that one."""
    trusted = [model for model in models if model not in part.untrusted]
    lines = [untrusted_sentence(part.suite.name, model, reason) for model, reason in part.untrusted.items()]
    if baseline in part.untrusted:
        return lines
    return [*lines, *(line for metric in part.metrics for line in difference_sentences(metric, trusted, baseline))]


def _tables(part: _Part) -> list[ExtraTable]:
    rankings = [ranking(one, part.untrusted) for one in part.metrics if one.key in part.suite.ranked_by]
    return [*(one for one in rankings if one is not None), *part.suite.extra_tables(part.chosen)]


def _breakdowns(parts: Sequence[_Part], breakdown: Breakdown | None) -> tuple[list[ExtraTable], list[Note]]:
    """Divide each suite's first metric by the labels of its prompts; return also a caption for each that cannot be."""
    tables: list[ExtraTable] = []
    undivided: list[Note] = []
    if breakdown is None:
        return tables, undivided
    for part in parts:
        if not part.metrics:
            continue
        first = part.metrics[0]
        table = breakdown(part.prompts, first)
        if table is not None:
            tables.append(table)
        else:
            undivided.append(caption(f"No breakdown, as none of its prompts has a value and a label: {first.label}."))
    return tables, undivided


def _judges(parts: Sequence[_Part]) -> list[SuiteJudge]:
    """Return the outside judges, each once: a suite has two where results of different judges are compared."""
    found: dict[tuple[str, str, str], SuiteJudge] = {}
    for one in (result for part in parts if part.suite.outside_judge for result in part.results):
        card = one.card if isinstance(one, CardedResult) else None
        judge = SuiteJudge(one.suite, one.provenance.judge, one.provenance.rubric, card)
        found.setdefault((judge.suite, judge.judge, judge.rubric), judge)
    return [*found.values()]


def _untested(metric: Metric) -> Metric:
    """Remove the differences: answers to different prompts have no pairs, whatever the ids of the prompts."""
    cells = {model: replace(cell, paired=None) for model, cell in metric.cells.items()}
    return replace(metric, cells=cells, test=None)


def _mismatch(results: Sequence[ComparableResult], allowed: Collection[str]) -> Note | None:
    """Return a warning that names the differences in provenance; None where there is none.

    Raises:
        UsageError: a difference is not allowed.
    """
    found: dict[str, None] = {}
    for other in results[1:]:
        first = results[0]
        for name in MUST_MATCH:
            one, two = getattr(first.provenance, name), getattr(other.provenance, name)
            differ = _far_apart(one, two) if name == "dates" else one != two
            if differ and name not in allowed:
                raise UsageError(
                    f"{first.model} and {other.model} cannot be compared: their {first.suite} results differ in "
                    f"{name} ({_printed(one)} against {_printed(two)}). {_REMEDY.get(name, _EVALUATE)}, or compare "
                    f"them in spite of it: --allow-mismatch {name}"
                )
            if differ:
                found[name] = None
    if not found:
        return None
    return warning(
        f"these {first.suite} results differ in {' and '.join(found)}, so a difference between columns need "
        f"not be one between models{', and none is tested' if 'prompts' in found else ''}."
    )


def _far_apart(one: Dates, two: Dates) -> bool:
    """Check if verdicts came more than `MAX_DAYS_APART` days after others."""
    if one is None or two is None:
        return False
    return date.fromisoformat(max(one[1], two[1])) - date.fromisoformat(min(one[0], two[0])) > timedelta(MAX_DAYS_APART)


def _printed(value: str | Dates) -> str:
    return value if isinstance(value, str) else " to ".join(dict.fromkeys(value or ()))
