"""What was measured of a model, suite by suite, told to those who follow it: its model card, and the run's trackers."""

from collections.abc import Sequence
from math import isfinite
from pathlib import Path

from evals.compare.terminal import label, with_interval
from evals.metric import Metric
from evals.results import Results
from evals.suite import suites_of
from evals.suites import load_results
from evals.suites.head_to_head import metrics as matched
from evals.suites.head_to_head.result import HeadToHeadResult
from srlm.filenames import file_name
from srlm.model_card import Evaluation, Measured, write_card
from srlm.runs import Run
from srlm.trackers import FOLDER, open_trackers


def tell(run: Run, models: Sequence[str]) -> None:
    """Renew the cards of those models that the run has trained, and report all figures of all of them.

    Raises:
        DataError: a result file is damaged.
    """
    results = load_results(run)
    for model in models:
        evaluations = evaluations_of(results, model)
        if model != "M0" and model in run.models():
            write_card(run, model, Path(run.model(model)), evaluations)
        folder = run.folder / FOLDER / "evals" / file_name(model)
        with open_trackers(run.config.report_to, folder, f"{model} evaluated", run.name) as trackers:
            for one in trackers:
                # W&B drops what comes twice at a step; without one it takes each evaluation as a further row.
                one.log(figures(evaluations), step=iteration(model) if one.name == "tensorboard" else None)


def evaluations_of(results: Results, model: str) -> list[Evaluation]:
    """All that stands of a model: its own results, and its results against each other one."""
    found = []
    for suite in suites_of(results):
        one = suite.choose([model])
        if one:
            metrics, notes = suite.metrics(one, [model]), suite.captions(one, [model])
            found.append(_evaluation(suite.name, model, metrics, notes))
    others = sorted({one for pair in results.of(HeadToHeadResult) if model in pair for one in pair} - {model})
    for other in others:
        pair = [other, model]
        met = matched.meetings(results.of(HeadToHeadResult), pair)
        found.append(
            _evaluation(met[0].suite, model, matched.metrics(met, pair), matched.captions(met, pair), against=other)
        )
    return found


def _evaluation(
    suite: str, model: str, metrics: Sequence[Metric], notes: Sequence[str], against: str | None = None
) -> Evaluation:
    shown = []
    for one in metrics:
        estimate = one.cells[model].estimate
        shown.append(
            Measured(one.key, one.label.strip(), label(one).strip(), estimate, with_interval(estimate, one.unit))
        )
    return Evaluation(suite, tuple(shown), tuple(notes), against)


def figures(evaluations: Sequence[Evaluation]) -> dict[str, float]:
    """By suite, opponent and key, as trackers take them: each value, and its interval where it has one."""
    found: dict[str, float] = {}
    for one in evaluations:
        for figure in one.figures:
            key = "/".join([one.suite, *([one.against] if one.against else []), figure.key])
            estimate = figure.estimate
            found |= {key: estimate.value, f"{key}/low": estimate.low, f"{key}/high": estimate.high}
    return {key: float(value) for key, value in found.items() if isfinite(value)}


def iteration(model: str) -> int:
    """The step at which a model's figures are reported: 2 for M2, 0 for those that are outside of the loop."""
    number = model.removeprefix("M")
    return int(number) if number.isdecimal() else 0
