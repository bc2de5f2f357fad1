"""Models side by side: each figure with its interval, each difference to the baseline with a paired test.

It also says in words what is certain and what is not. What is read off a suite's results has a room of its own:
`evals.preferred`, `graded`, `ordered`, `verified`. Compared are only results of the same judge, rubric, prompts and
sampling.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evals import graded, ordered, preferred, verified
from evals.metric import Metric
from evals.results import Result, Results
from evals.wording import words
from srlm.errors import UnknownName, UsageError

Suite = tuple[Mapping[str, Any], Callable[[Sequence[Any]], list[Metric]], Callable[[Sequence[Any]], list[str]]]
"""A suite's results by model, the rows that are read off them, and their captions."""


@dataclass(frozen=True)
class Comparison:
    """A table and its reading."""

    models: list[str]
    baseline: str
    metrics: list[Metric]
    captions: list[str]
    words: list[str]


def compare_models(results: Results, models: Sequence[str], baseline: str) -> Comparison:
    """Compare models on whatever results they all have.

    Raises:
        UnknownName: a model has no results; says which have.
        UsageError: the results are of different judges, rubrics, prompts or samplings.
    """
    suites: list[Suite] = [
        (results.alpaca, preferred.metrics, preferred.captions),
        (results.mt_bench, graded.metrics, graded.captions),
        (results.reward, ordered.metrics, ordered.captions),
        (results.verifiable, verified.metrics, verified.captions),
    ]
    known = sorted({model for found, _, _ in suites for model in found})
    for model in [*models, baseline]:
        if model not in known:
            raise UnknownName("Among the results of this run, the model", model, known, "Evaluate it first: srlm eval")
    models = [baseline, *(model for model in models if model != baseline)]
    metrics: list[Metric] = []
    captions: list[str] = []
    for found, rows, notes in suites:
        if all(model in found for model in models):
            chosen = [found[model] for model in models]
            _same(chosen)
            metrics += rows(chosen)
            captions += notes(chosen)
    if not metrics:
        raise UsageError(
            f"No suite has results of all of {', '.join(models)}. Evaluate them with: srlm eval {' '.join(models)}"
        )
    lines = [line for metric in metrics for line in words(metric, models, baseline)]
    return Comparison(list(models), baseline, metrics, captions, lines)


def _same(results: Sequence[Result]) -> None:
    first = results[0]
    for other in results[1:]:
        for field in ("judge", "rubric", "prompts", "sampling"):
            one, two = getattr(first.provenance, field), getattr(other.provenance, field)
            if one != two:
                raise UsageError(
                    f"{first.model} and {other.model} cannot be compared: their {first.suite} results differ in "
                    f"{field} ({one} against {two}). Evaluate both with the same settings."
                )
