"""Reporting of evaluations: the cards of the run's models, and the run's trackers."""

from collections.abc import Sequence
from math import isfinite
from pathlib import Path
from typing import Any

from evals import suites
from evals.compare.cells import format_estimate, row_label
from evals.results import Results
from evals.suite import Selection, Suite
from evals.suites import load_results
from srlm.filenames import file_name
from srlm.model_card import Evaluation, Measured, write_card
from srlm.runs import Run
from srlm.trackers import FOLDER, open_trackers


def log_results(run: Run, models: Sequence[str]) -> None:
    """Update the model cards of models that the run has trained, and log the metrics of all models to its trackers.

    Raises:
        DataError: a result file is damaged.
    """
    results = load_results(run)
    for model in models:
        evaluations = evaluations_of(results, model)
        if model in run.models() and not run.is_given(model):  # the given model's folder is the user's
            write_card(run, model, Path(run.model(model)), evaluations)
        folder = run.folder / FOLDER / "evals" / file_name(model)
        with open_trackers(run.config.report_to, folder, f"{model} evaluated", run.name) as trackers:
            for one in trackers:
                # W&B drops what comes twice at a step; without one it takes each evaluation as a further row.
                one.log(tracked_values(evaluations), step=iteration(model) if one.name == "tensorboard" else None)


def evaluations_of(results: Results, model: str) -> list[Evaluation]:
    """Return everything that is known of a model: its own results, then those against each other model.

    People's votes are left out: they come after `srlm eval`, which is when cards and trackers are updated.
    """
    every = [one for one in suites.SUITES if not one.command]
    own = [
        _evaluation(suite, chosen, model)
        for suite in every
        if not suite.pairwise and (chosen := suite.select(results, [model]))
    ]
    return [*own, *(one for suite in every if suite.pairwise for one in _against_others(suite, results, model))]


def _against_others(suite: Suite[Any], results: Results, model: str) -> list[Evaluation]:
    others = sorted(suite.models(results) - {model})
    selections = [(other, suite.select(results, [other, model])) for other in others]
    return [_evaluation(suite, chosen, model, against=other) for other, chosen in selections if chosen]


def _evaluation(suite: Suite[Any], chosen: Selection[Any], model: str, against: str | None = None) -> Evaluation:
    shown = []
    for one in suite.metrics(chosen):
        estimate = one.cells[model].estimate
        shown.append(Measured(one.key, one.label, row_label(one), estimate, format_estimate(estimate, one.unit)))
    return Evaluation(suite.name, tuple(shown), tuple(map(str, suite.notes(chosen))), against)


def tracked_values(evaluations: Sequence[Evaluation]) -> dict[str, float]:
    """Return each value, and its interval where it has one, by suite, opponent and key, as trackers take them."""
    found: dict[str, float] = {}
    for one in evaluations:
        for figure in one.figures:
            key = "/".join([one.suite, *([one.against] if one.against else []), figure.key])
            estimate = figure.estimate
            found |= {key: estimate.value, f"{key}/low": estimate.low, f"{key}/high": estimate.high}
    return {key: float(value) for key, value in found.items() if isfinite(value)}


def iteration(model: str) -> int:
    """Return the step at which a model's metrics are logged: 2 for M2, 0 for models outside of the loop."""
    number = model.removeprefix("M")
    return int(number) if number.isdecimal() else 0
