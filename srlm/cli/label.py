"""`srlm label`: a judge says of each prompt what kind of task it is, for `srlm compare --by`."""

from typing import TYPE_CHECKING, Annotated

import typer

from srlm.cli.models import budget_of, contestant, done_with, wire_of
from srlm.cli.options import DEFAULT_RUNS, Estimate, MaxConnections, MaxCost, RunName, Runs, Timeout, command

if TYPE_CHECKING:
    from evals.labels.annotate import Labelled
    from srlm.console import Progress
    from srlm.engines.engine import Engine
    from srlm.ledger import Ledger


def label(
    judge: Annotated[
        str | None, typer.Option("--judge", help="Who labels; if not given, the packaged model, which is too small to.")
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
    """Label the prompts that a run's models were evaluated on: category, complexity and expected length.

    The judge first names at most 20 categories, then labels each prompt. What cannot be read of its replies stays
    unknown, and is counted. srlm compare --by shows figures by these labels.
    """
    from evals.labels.annotate import label_prompts
    from evals.labels.store import known, store_labels
    from evals.prompt_sets import load_prompt_sets
    from srlm.console import Progress, stdout
    from srlm.errors import UsageError
    from srlm.model_hub import PACKAGED
    from srlm.runs import open_run

    home = open_run(runs, run)
    sets = load_prompt_sets(home)
    if not sets:
        raise UsageError(f"In the run {home.name} nothing was evaluated that has prompts. Begin with: srlm eval")
    progress = Progress()
    budget = budget_of(max_cost)
    model = contestant(judge or PACKAGED, home, wire_of(max_connections, timeout, progress), budget)

    def work(engine: "Engine", ledger: "Ledger", progress: "Progress") -> "dict[str, Labelled]":
        return {
            digest: label_prompts(engine, prompts, ledger, progress=progress, anew=overwrite)
            for digest, prompts in sets.items()
        }

    found = done_with(work, model, home.folder / "ledger.sqlite", estimate, progress)
    if found is None:
        return
    for digest, labelled in found.items():
        store_labels(home, digest, labelled.labels)
        labels = {one.prompt_id: one for one in labelled.labels}
        counts = ", ".join(f"{known(labels, by)} have a {by}" for by in ("category", "complexity", "length"))
        stdout().print(f"Of {len(labels)} prompts (set {digest}) {counts}.", soft_wrap=True, markup=False)
        if labelled.categories == ():
            stdout().print(
                f"The list of categories by {model.name} could not be read, so no prompt of this set has one of its.",
                soft_wrap=True,
                markup=False,
            )
    stdout().print(
        f"Next: srlm compare MODEL... --by category {command('--runs', runs, '--run', home.name)}",
        soft_wrap=True,
        markup=False,
    )
