"""Models side by side: each figure with its interval, each difference to the baseline with a paired test.

It also says in words what is certain and what is not. What is read off a suite's results has a room of its own:
`evals.preferred`, `graded`, `ordered`, `verified`, `retained`; `matched` for results that belong to two models.
Compared are only results of the same judge, rubric, prompts and sampling, judged at about the same time.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from itertools import chain
from typing import Any

from evals import graded, matched, ordered, preferred, retained, trivial, verified
from evals.metric import Metric, Side
from evals.results import AlpacaResult, HeadToHeadResult, MtBenchResult, Provenanced, Results
from evals.wording import words
from srlm.errors import UnknownName, UsageError
from srlm.judges.card import JudgeCard

ALIKE = ("judge", "rubric", "prompts", "sampling", "dates")
"""In what results must agree to be compared, unless the user says otherwise."""

APART = 7
"""Days that verdicts of a server may lie apart: what answers to a name may have changed in the meantime."""


@dataclass(frozen=True)
class Suite:
    """A suite's results by model; the rows that are read off them, their captions, and tables that belong beside.

    `alike` are the results that must agree in how they came about, where that is not all of them with each other.
    """

    results: Mapping[str, Any]
    metrics: Callable[[Sequence[Any]], list[Metric]]
    captions: Callable[[Sequence[Any]], list[str]]
    sides: Callable[[Sequence[Any]], list[Side]] = lambda _: []
    alike: Callable[[Sequence[Any]], list[Sequence[Any]]] = lambda results: [results]


_EVALUATE = "Evaluate both with the same settings"
_REMEDY = {"dates": f"What answers to the judge's name may have changed: judge both anew within {APART} days"}

Dates = tuple[str, str] | None

Breakdown = Callable[[Sequence[str], Metric], Side | None]
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
    """A table and its reading."""

    models: list[str]
    baseline: str
    metrics: list[Metric]
    captions: list[str]
    words: list[str]
    sides: list[Side] = field(default_factory=list)
    judges: list[SuiteJudge] = field(default_factory=list)


def suites_of(results: Results) -> list[Suite]:
    """The suites whose results belong to one model."""
    return [
        Suite(results.alpaca, preferred.metrics, preferred.captions),
        Suite(results.mt_bench, graded.metrics, graded.captions),
        Suite(results.reward, ordered.metrics, ordered.captions, trivial.sides),
        Suite(results.verifiable, verified.metrics, verified.captions),
        Suite(results.nlp, retained.metrics, retained.captions, alike=retained.by_task),
    ]


def compare_models(
    results: Results,
    models: Sequence[str],
    baseline: str,
    across: Collection[str] = (),
    breakdown: Breakdown | None = None,
) -> Comparison:
    """Compare models on whatever results they all have.

    Args:
        results: of a run.
        models: by name.
        baseline: the one that the others are compared with.
        across: in what the results may differ, of `ALIKE`; it is said under the table.
        breakdown: takes each suite's first row apart by what its prompts are, if that is wanted.

    Raises:
        UnknownName: a model has no results; says which have.
        UsageError: the results are of different judges, rubrics, prompts, samplings or dates.
    """
    suites = suites_of(results)
    known = sorted({model for suite in suites for model in suite.results} | {*chain(*results.head_to_head)})
    for model in [*models, baseline]:
        if model not in known:
            raise UnknownName("Among the results of this run, the model", model, known, "Evaluate it first: srlm eval")
    models = [baseline, *(model for model in models if model != baseline)]
    shared = [(suite, [suite.results[one] for one in models]) for suite in suites if suite.results.keys() >= {*models}]
    met = matched.meetings(results.head_to_head, models)
    if not shared and not met:
        raise UsageError(
            f"No suite has results of all of {', '.join(models)}. Evaluate them with: srlm eval {' '.join(models)}"
        )
    alike = [suite.alike(chosen) for suite, chosen in shared]
    unlike = [line for same in [*chain(*alike), met] if (line := _differing(same, across))]
    rows = [
        ([*chain(*same)], suite.metrics(chosen) if _same_prompts(same) else _untested(suite.metrics(chosen)))
        for same, (suite, chosen) in zip(alike, shared, strict=True)
    ]
    captions = [line for suite, chosen in shared for line in suite.captions(chosen)]
    partly = [suite for suite in suites if set() < suite.results.keys() & {*models} < {*models}]
    if partly:
        names = ", ".join(next(iter(suite.results.values())).suite for suite in partly)
        captions.append(f"Not every model has results of {names}: left out.")
    sides = [side for suite, chosen in shared for side in suite.sides(chosen)]
    if met:
        rows.append(([*met], matched.metrics(met, models)))
        captions += matched.captions(met, models)
        sides += matched.sides(met)
    if breakdown is not None:
        for of, found in rows:
            divided = breakdown(list(dict.fromkeys(one.provenance.prompts for one in of)), found[0]) if found else None
            if divided is not None:
                sides.append(divided)
            elif found:
                captions.append(
                    f"Not taken apart, as none of its prompts has a figure and a label: {found[0].label.strip()}."
                )
    metrics = [metric for _, found in rows for metric in found]
    return Comparison(
        models=list(models),
        baseline=baseline,
        metrics=metrics,
        captions=[*unlike, *dict.fromkeys(captions)],  # two suites of one judge show its card once
        words=[
            *(line for metric in metrics for line in words(metric, models, baseline)),
            *retained.retention(metrics, models, baseline),
        ],
        sides=sides,
        judges=_judges([*chain(*chain(*alike)), *met]),
    )


def _judges(results: Sequence[Provenanced]) -> list[SuiteJudge]:
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


def _same_prompts(alike: Sequence[Sequence[Provenanced]]) -> bool:
    return all(len({one.provenance.prompts for one in same}) == 1 for same in alike)


def _untested(metrics: Sequence[Metric]) -> list[Metric]:
    """Without differences: answers to different prompts have no pairs, whatever the prompts are called."""
    return [
        replace(metric, cells={model: replace(cell, paired=None) for model, cell in metric.cells.items()})
        for metric in metrics
    ]


def _differing(results: Sequence[Provenanced], across: Collection[str]) -> str:
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
