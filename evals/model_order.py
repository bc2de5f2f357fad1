"""Display order of models: as the run made them, then the others by name."""

from collections.abc import Collection
from typing import Any

from evals.results import Results, collect, models_of
from srlm.runs import Run

NAMES = ("M0", "SFT", "M1", "M2", "M3")
"""The order of models whose checkpoints no longer exist."""


def sort_models(run: Run, models: Collection[str]) -> list[str]:
    """Return each model once, in display order."""
    own = [model for model in run.models() if model in models]
    known = [model for model in NAMES if model in models and model not in own]
    return [*own, *known, *sorted({*models} - {*own, *known})]


def sort_results(run: Run, results: Results) -> Results:
    """Sort the results of each suite by the order of their models."""
    place = {model: number for number, model in enumerate(sort_models(run, models_in(results)))}

    def position(result: Any) -> list[int]:
        return [place[model] for model in models_of(result)]

    return collect(one for of_kind in results.by_kind.values() for one in sorted(of_kind.values(), key=position))


def models_in(results: Results) -> set[str]:
    """Return all models that have a result of any suite."""
    return {model for one in results for model in models_of(one)}
