"""Evaluation suites and comparisons as functions."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from srlm.api.estimates import stop_at_estimate
from srlm.api.models import ModelOpener, any_run, find_run, runs_folder

if TYPE_CHECKING:
    from evals.compare.view import ComparisonView
    from evals.evaluation_results import EvaluationResults
    from srlm.runs import Run

EVALUATIONS = "evaluations"
"""Name of the run of models that are evaluated where there is no run."""


def evaluate(
    models: str | Sequence[str],
    suites: str | Sequence[str] = "alpaca",
    *,
    judge: str | None = None,
    run: "Run | str | Path | None" = None,
    runs: str | Path | None = None,
    max_connections: int | None = None,
    timeout: float | None = None,
    max_cost: float | None = None,
    quiet: bool = False,
    **options: Any,
) -> "EvaluationResults":
    """Evaluate models on one suite or several. Answers and verdicts are stored in the run; nothing is asked twice.

    Args:
        models: names in the run (M1), folders, hf:NAME, openai:NAME[@ADDRESS], anthropic:NAME.
        suites: their names, or "all" for each that can begin here.
        judge: outside judge, for suites that ask one; the packaged model, if None.
        run: an open run, a name or a folder; the one that was changed last, if None. Where there is no run at all,
            models that need none get one for their results.
        runs: folder of the runs; $SRLM_RUNS or results/runs, if None.
        max_connections: concurrent requests to a server; if None, 16, and up to 256 to a vLLM server.
        timeout: seconds without an answer of a server after which the work stops; 300, if None.
        max_cost: US dollars that all calls may cost together.
        quiet: print no progress on standard error.
        options: of the suites, named as in `srlm eval --help`: limit, max_tokens, prompts, ...

    Returns:
        The results, by suite and model: `results["alpaca"]["M1"]`.

    Raises:
        UnknownName: there is no such model, suite or option.
        UsageError: no suite can begin, or an option belongs to other suites.
        SrlmError: a suite cannot begin, and was asked for by name.

    Example:
        >>> srlm.evaluate(["M1", "M2"], suites=["verifiable"], run="quickstart", limit=20)  # doctest: +SKIP
    """
    from evals.evaluate import choose_suites, judged, prepare
    from srlm.console import Progress
    from srlm.errors import UsageError
    from srlm.model_hub import PACKAGED
    from srlm.runs import Run

    choose_suites(suites)
    names = [models] if isinstance(models, str) else [*models]
    if not names:
        raise UsageError("Name at least one model, such as: srlm eval M1")
    progress = Progress(quiet=quiet)
    home = _run_for(names, run, runs)
    try:
        opener = ModelOpener(progress, max_connections=max_connections, timeout=timeout, max_cost=max_cost)
        found = {name: opener.model(name, home) for name in names}
        evaluation = prepare(found, suites, opener.model(judge or PACKAGED, home), home, progress, options)
        if judge is None and judged([*evaluation.jobs]):
            progress.say("No --judge is given: the packaged 135M model judges. It is too small to be trusted.")
        stop_at_estimate(evaluation.estimate)
        return evaluation.execute(progress)
    finally:
        if not isinstance(run, Run):
            home.close()


def _run_for(models: Sequence[str], run: "Run | str | Path | None", runs: str | Path | None) -> "Run":
    """Return the run that stores the results. Where there is none, plan one for models that need none."""
    from srlm.config import TrainConfig
    from srlm.rewards.source import is_source_name
    from srlm.runs import plan_run

    named = run is None or isinstance(run, str)
    if not named or any_run(runs) or not all(is_source_name(one) for one in models):
        return find_run(run, runs)
    return plan_run(runs_folder(runs), str(run or EVALUATIONS), TrainConfig(model=models[0]))


def compare(
    models: str | Path | Sequence[str | Path],
    *,
    baseline: str | Path | None = None,
    run: "Run | str | Path | None" = None,
    runs: str | Path | None = None,
    by: Literal["category", "complexity", "length"] | None = None,
    labels: str | Path | None = None,
    allow_mismatch: Sequence[str] = (),
    reference: Literal["paper"] | None = None,
    prompts: str | Path | None = None,
    repeats: Literal["mean", "first", "last"] | None = None,
    alpaca_difficulties: str | Path | None = None,
) -> "ComparisonView":
    """Compare models that were evaluated, or other tools' files of results: each difference with a paired test.

    Args:
        models: models with results, or files as FILE or NAME=FILE: AlpacaEval's annotations.json, FastChat's
            model_judgment/*.jsonl, lm-eval's results_*.json.
        baseline: the one that the others are compared with; the first, if None.
        run: an open run, a name or a folder; the one that was changed last, if None.
        runs: folder of the runs; $SRLM_RUNS or results/runs, if None.
        by: labels of prompts by which the main metrics are divided.
        labels: a file of labels, in place of those of the run.
        allow_mismatch: compare although these differ, of judge, rubric, prompts, sampling and dates.
        reference: "paper" adds the values of the self-rewarding paper to models of its names.
        prompts: prompts of the benchmark of files, in their order: model_outputs.json or question.jsonl.
        repeats: the way to read judgements that a file has several times; None refuses them.
        alpaca_difficulties: AlpacaEval's df_gamed.csv, for the length control of its leaderboard.

    Raises:
        UnknownName: a model has no results.
        UsageError: the results cannot be compared, or the options make no sense together.
        DataError: a file is damaged, or of no known tool.

    Example:
        >>> srlm.compare(["M1", "M2"], run="quickstart").to_markdown()  # doctest: +SKIP
    """
    from evals.compare.compare import compare_sources, file_settings
    from evals.compare.view import view

    words = [models] if isinstance(models, str | Path) else models
    comparison = compare_sources(
        [str(one) for one in words],
        lambda: find_run(run, runs),
        baseline=None if baseline is None else str(baseline),
        allow_mismatch=allow_mismatch,
        by=by,
        labels=None if labels is None else Path(labels),
        paper=reference is not None,
        settings=file_settings(prompts, repeats, alpaca_difficulties),
        with_run=run is not None,
    )
    return view(comparison)
