"""`srlm label`: a judge labels each prompt by category, complexity and length, for `srlm compare --by`."""

from functools import partial
from typing import Annotated

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


def label(
    judge: Annotated[
        str | None,
        typer.Option("--judge", help="Model that labels; if not given, the packaged one, which is too small for it."),
    ] = None,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite", help="Ask the judge also where all prompts of a suite came with labels of their own."
        ),
    ] = False,
    max_connections: MaxConnections = None,
    timeout: Timeout = None,
    max_cost: MaxCost = None,
    estimate: Estimate = False,
    run: RunName = None,
    runs: Runs = DEFAULT_RUNS,
) -> None:
    """Label a run's prompts by category, complexity and length.

    The prompts are those that its models were evaluated on; the length is that of an expected answer. The judge first
    names at most 20 categories, then labels each prompt. A label that cannot be read of its reply stays unknown, and is
    counted. srlm compare --by shows metrics by these labels.
    """
    from srlm import api
    from srlm.console import stdout

    work = partial(
        api.label,
        judge,
        overwrite=overwrite,
        run=run,
        runs=runs,
        max_connections=max_connections,
        timeout=timeout,
        max_cost=max_cost,
    )
    if estimate:
        print_estimate(work)
        return
    found = work()
    following = f"Next: srlm compare MODEL... --by category {command('--runs', runs, '--run', found.run)}"
    for line in (*found.sentences(), following):
        stdout().print(line, soft_wrap=True, markup=False)
