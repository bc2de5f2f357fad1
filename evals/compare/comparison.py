"""Models side by side: each figure with its interval, each difference to the baseline with a paired test.

It also says in words what is certain and what is not. What suites there are, and what is read off their results, is
`evals.suite`. Compared are only results of the same judge, rubric, prompts and sampling, judged at about the same
time.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from itertools import chain
from shlex import join

from evals.compare.ranking import ranking
from evals.compare.sentences import difference_sentences, distrust
from evals.metric import ExtraTable, Metric
from evals.results import ComparableResult, Results
from evals.suite import Chosen, Suite, suites_of
from evals.suites.alpaca.length_control import Gamed
from evals.suites.alpaca.result import AlpacaResult
from evals.suites.head_to_head.result import HeadToHeadResult
from evals.suites.mt_bench.result import MtBenchResult
from evals.suites.nlp import metrics as retained
from srlm.errors import UnknownName, UsageError
from srlm.judges.judge_card import JudgeCard

ALIKE = ("judge", "rubric", "prompts", "sampling", "dates")
"""In what results must agree to be compared, unless the user says otherwise."""

APART = 7
"""Days that verdicts of a server may lie apart: what answers to a name may have changed in the meantime."""

_EVALUATE = "Evaluate both with the same settings"
_REMEDY = {"dates": f"What answers to the judge's name may have changed: judge both anew within {APART} days"}

Dates = tuple[str, str] | None

Breakdown = Callable[[Sequence[str], Metric], ExtraTable | None]
"""A suite's first row taken apart by what its prompts are (digests of their sets name them); None without labels."""


@dataclass(frozen=True)
class SuiteJudge:
    """Who judged a suite's answers, by which wording; None where the suite has no card of it."""

    suite: str
    judge: str
    rubric: str
    card: JudgeCard | None


@dataclass(frozen=True)
class Comparison:
    """A table and its reading. `distrusted` models have figures that may not come from good answers, and why."""

    models: list[str]
    baseline: str
    metrics: list[Metric]
    captions: list[str]
    words: list[str]
    sides: list[ExtraTable] = field(default_factory=list)
    judges: list[SuiteJudge] = field(default_factory=list)
    distrusted: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Part:
    """A suite's share of a comparison."""

    suite: Suite
    chosen: Chosen
    alike: list[Sequence[ComparableResult]]
    metrics: list[Metric]
    distrusted: dict[str, str]

    @property
    def results(self) -> list[ComparableResult]:
        """All results that it was read off."""
        return [*chain(*self.alike)]

    @property
    def prompts(self) -> list[str]:
        """The digests of what was asked."""
        return [*dict.fromkeys(one.provenance.prompts for one in self.results)]


def compare_models(
    results: Results,
    models: Sequence[str],
    baseline: str,
    across: Collection[str] = (),
    breakdown: Breakdown | None = None,
    gamed: Gamed | None = None,
) -> Comparison:
    """Compare models on whatever results they all have.

    Args:
        results: of a run, or of files.
        models: by name.
        baseline: the one that the others are compared with.
        across: in what the results may differ, of `ALIKE`; it is said under the table.
        breakdown: takes each suite's first row apart by what its prompts are, if that is wanted.
        gamed: AlpacaEval's difficulties, for its own length control.

    Raises:
        UnknownName: a model has no results; says which have.
        UsageError: the results are of different judges, rubrics, prompts, samplings or dates.
    """
    suites = suites_of(results, gamed)
    known = sorted(frozenset().union(*(suite.models for suite in suites)))
    for model in [*models, baseline]:
        if model not in known:
            raise UnknownName("Among these results, the model", model, known, "Evaluate it first: srlm eval")
    models = [baseline, *(model for model in models if model != baseline)]
    parts = [_part(suite, chosen, models) for suite in suites if (chosen := suite.choose(models))]
    if not parts:
        raise UsageError(
            f"No suite has results of all of {', '.join(models)}. Evaluate them with: srlm eval {join(models)}"
        )
    unlike = [line for part in parts for same in part.alike if (line := _differing(same, across))]
    captions = [line for part in parts for line in part.suite.captions(part.chosen, models)]
    shown = {part.suite.name for part in parts}
    partly = [one.name for one in suites if one.models & {*models} and one.name not in shown]
    if partly:
        captions.append(f"Not every model has results of {', '.join(partly)}: left out.")
    divided, whole = _divided(parts, breakdown)
    metrics = [metric for part in parts for metric in part.metrics]
    return Comparison(
        models=list(models),
        baseline=baseline,
        metrics=metrics,
        captions=[*unlike, *dict.fromkeys([*captions, *whole])],  # two suites of one judge show its card once
        words=[
            *(line for part in parts for line in _words(part, models, baseline)),
            *retained.retention(metrics, models, baseline),
        ],
        sides=[*(side for part in parts for side in _sides(part)), *divided],
        judges=_judges([one for part in parts for one in part.results]),
        distrusted={model: why for part in parts for model, why in part.distrusted.items()},
    )


def _part(suite: Suite, chosen: Chosen, models: Sequence[str]) -> _Part:
    alike = suite.alike(chosen)
    metrics = [replace(metric, suite=suite.name) for metric in suite.metrics(chosen, models)]
    if not _same_prompts(alike):
        metrics = [_untested(metric) for metric in metrics]
    return _Part(suite, chosen, alike, metrics, suite.distrusted(chosen))


def _words(part: _Part, models: Sequence[str], baseline: str) -> list[str]:
    """What may be said of a suite; of a model whose figures cannot be trusted that, and nothing else."""
    trusted = [model for model in models if model not in part.distrusted]
    lines = [distrust(part.suite.name, model, why) for model, why in part.distrusted.items()]
    if baseline in part.distrusted:
        return lines
    return [*lines, *(line for metric in part.metrics for line in difference_sentences(metric, trusted, baseline))]


def _sides(part: _Part) -> list[ExtraTable]:
    rankings = [ranking(one, part.distrusted) for one in part.metrics if one.key in part.suite.ranked]
    return [*(one for one in rankings if one is not None), *part.suite.sides(part.chosen)]


def _divided(parts: Sequence[_Part], breakdown: Breakdown | None) -> tuple[list[ExtraTable], list[str]]:
    """Each suite's first row by what its prompts are; and which could not be taken apart."""
    sides: list[ExtraTable] = []
    whole: list[str] = []
    if breakdown is None:
        return sides, whole
    for part in parts:
        if not part.metrics:
            continue
        first = part.metrics[0]
        divided = breakdown(part.prompts, first)
        if divided is not None:
            sides.append(divided)
        else:
            whole.append(f"Not taken apart, as none of its prompts has a figure and a label: {first.label}.")
    return sides, whole


def _judges(results: Sequence[ComparableResult]) -> list[SuiteJudge]:
    """Once each: a suite may have two of them where results of different judges are compared.

    In the suite reward the compared models judge themselves, and programs check the others.
    """
    found: dict[tuple[str, str, str], SuiteJudge] = {}
    for one in results:
        if isinstance(one, AlpacaResult | HeadToHeadResult | MtBenchResult):
            card = None if isinstance(one, MtBenchResult) else one.card
            judge = SuiteJudge(one.suite, one.provenance.judge, one.provenance.rubric, card)
            found.setdefault((judge.suite, judge.judge, judge.rubric), judge)
    return [*found.values()]


def _same_prompts(alike: Sequence[Sequence[ComparableResult]]) -> bool:
    return all(len({one.provenance.prompts for one in same}) == 1 for same in alike)


def _untested(metric: Metric) -> Metric:
    """Without differences: answers to different prompts have no pairs, whatever the prompts are called."""
    cells = {model: replace(cell, paired=None) for model, cell in metric.cells.items()}
    return replace(metric, cells=cells, test=None)


def _differing(results: Sequence[ComparableResult], across: Collection[str]) -> str:
    """A warning of what the results differ in although they may; empty where they do not."""
    found: dict[str, None] = {}
    for other in results[1:]:
        first = results[0]
        for name in ALIKE:
            one, two = getattr(first.provenance, name), getattr(other.provenance, name)
            differ = _apart(one, two) if name == "dates" else one != two
            if differ and name not in across:
                raise UsageError(
                    f"{first.model} and {other.model} cannot be compared: their {first.suite} results differ in "
                    f"{name} ({_told(one)} against {_told(two)}). {_REMEDY.get(name, _EVALUATE)}, or compare them in "
                    f"spite of it: --across {name}"
                )
            if differ:
                found[name] = None
    if not found:
        return ""
    return (
        f"Attention: these {first.suite} results differ in {' and '.join(found)}, so a difference between columns need "
        f"not be one between models{', and none is tested' if 'prompts' in found else ''}."
    )


def _apart(one: Dates, two: Dates) -> bool:
    """Whether verdicts came more than `APART` days after others."""
    if one is None or two is None:
        return False
    return date.fromisoformat(max(one[1], two[1])) - date.fromisoformat(min(one[0], two[0])) > timedelta(APART)


def _told(value: str | Dates) -> str:
    return value if isinstance(value, str) else " to ".join(dict.fromkeys(value or ()))
