"""The order of models in the page: as the run made them, then the others by name."""

from collections.abc import Collection

from evals.results import Results, collect, models_of
from srlm.runs import Run

NAMES = ("M0", "SFT", "M1", "M2", "M3")
"""The order of models whose checkpoints are gone."""


def ordered(run: Run, models: Collection[str]) -> list[str]:
    """Each model once."""
    own = [model for model in run.models() if model in models]
    known = [model for model in NAMES if model in models and model not in own]
    return [*own, *known, *sorted({*models} - {*own, *known})]


def in_order(run: Run, results: Results) -> Results:
    """Sort the results of each suite by the order of their models."""
    place = {model: number for number, model in enumerate(ordered(run, models_in(results)))}
    return collect(sorted(results, key=lambda one: [place[model] for model in models_of(one)]))


def models_in(results: Results) -> set[str]:
    """Return all models that have a result of any suite."""
    return {model for one in results for model in models_of(one)}
