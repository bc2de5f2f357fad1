"""`srlm eval`: run evaluation suites on models."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from srlm.cli.options import (
    DEFAULT_RUNS,
    Estimate,
    MaxConnections,
    MaxCost,
    RunName,
    Runs,
    Timeout,
    command,
    print_estimate,
)
from srlm.cli.suite_options import VALUES

if TYPE_CHECKING:
    from evals.evaluation_results import EvaluationResults


def evaluate(
    context: typer.Context,
    models: Annotated[
        list[str] | None,
        typer.Argument(help="Names in the run (M1), folders, hf:NAME, openai:NAME[@ADDRESS], anthropic:NAME."),
    ] = None,
    suite: Annotated[str, typer.Option("--suite", help="A suite, several with commas, or all.")] = "alpaca",
    judge: Annotated[
        str | None,
        typer.Option("--judge", help="Outside judge, for suites that ask one; if not given, the packaged model."),
    ] = None,
    max_connections: MaxConnections = None,
    timeout: Timeout = None,
    max_cost: MaxCost = None,
    estimate: Estimate = False,
    run: RunName = None,
    runs: Runs = DEFAULT_RUNS,
) -> None:
    """Evaluate models on one suite or several.

    all is each suite that can begin here, and ends in a comparison; what cannot is left out, with the reason.

    Answers and verdicts are stored in the run, and nothing is asked twice. The calls that a server will get, their
    tokens and their cost are printed before the first of them.
    """
    from evals.evaluate import choose_suites
    from srlm import api

    _, every = choose_suites(suite)
    work = partial(
        api.evaluate,
        models or (),
        suite,
        judge=judge,
        run=run,
        runs=runs,
        max_connections=max_connections,
        timeout=timeout,
        max_cost=max_cost,
        **context.meta[VALUES],
    )
    if estimate:
        print_estimate(work)
        return
    results = work()
    _show(results, compared=every)
    _say_next(results, runs)


def _show(found: "EvaluationResults", *, compared: bool) -> None:
    """Print all results in one table; or the pairs of a head-to-head, the judges' cards, and one judge's ways.

    Empty and cut answers are named in any case.
    """
    from evals.answer_checks import ending_warnings
    from evals.compare.ablation import ablations
    from evals.compare.comparison import compare_models
    from evals.compare.terminal import print_comparison, print_extra_tables
    from evals.results import CardedResult, Endings, collect
    from evals.suite import Selection
    from evals.suites import evaluable_suites
    from srlm.console import stdout

    if compared:
        print_comparison(stdout(), compare_models(collect(found.results), found.models, found.models[0]))
        return
    for suite in evaluable_suites():
        pairs = [one for one in found.results if suite.pairwise and one.suite == suite.name]
        print_extra_tables(stdout(), suite.extra_tables(Selection(pairs, [])) if pairs else [])
    cards = [one.card.caption() for one in found.results if isinstance(one, CardedResult) and one.card]
    answered = [one for one in found.results if isinstance(getattr(one, "endings", None), Endings)]
    lines = [str(note) for one in answered for note in ending_warnings(one.model, one.endings)]
    for line in [*dict.fromkeys(cards), *lines]:
        stdout().print(line, soft_wrap=True, markup=False)
    for comparison in ablations(found.results):
        print_comparison(stdout(), comparison)


def _say_next(found: "EvaluationResults", runs: Path) -> None:
    from srlm.console import stdout

    compare = command("srlm", "compare", *found.models, "--runs", runs, "--run", found.folder.name)
    stdout().print(f"Results are in {found.folder / 'evals'}. Next: {compare}", soft_wrap=True, markup=False)
