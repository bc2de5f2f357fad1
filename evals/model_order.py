"""The order of models in the page: as the run made them, then the others by name."""

from collections.abc import Collection
from dataclasses import fields

from evals.results import Results
from srlm.runs import Run

NAMES = ("M0", "SFT", "M1", "M2", "M3")
"""The order of models whose checkpoints are gone."""


def models_of(key: str | tuple[str, ...]) -> tuple[str, ...]:
    """The models of a result, by its key in `Results`: one, or those that met."""
    return (key,) if isinstance(key, str) else key


def ordered(run: Run, models: Collection[str]) -> list[str]:
    """Each model once."""
    own = [model for model in run.models() if model in models]
    known = [model for model in NAMES if model in models and model not in own]
    return [*own, *known, *sorted({*models} - {*own, *known})]


def in_order(run: Run, results: Results) -> Results:
    """The results of each suite in the order of their models."""
    place = {model: number for number, model in enumerate(ordered(run, models_in(results)))}
    found = {}
    for one in fields(results):
        of_suite = getattr(results, one.name)
        found[one.name] = {
            key: of_suite[key] for key in sorted(of_suite, key=lambda key: [place[model] for model in models_of(key)])
        }
    return Results(**found)


def models_in(results: Results) -> set[str]:
    """All models that have a result of any suite."""
    return {model for suite in vars(results).values() for key in suite for model in models_of(key)}
