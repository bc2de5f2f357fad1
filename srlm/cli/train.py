"""`srlm train`: run the self-rewarding loop, or go on with it."""

from pathlib import Path
from typing import Annotated

import typer

from srlm.cli.models import budget_of
from srlm.cli.options import DEFAULT_RUNS, MaxCost, Runs, command


def train(
    preset: Annotated[str, typer.Argument(help="A preset, or a YAML file of your own.")] = "quickstart",
    name: Annotated[str | None, typer.Option("--name", help="Name of the run; the preset's, if not given.")] = None,
    changes: Annotated[
        list[str] | None, typer.Option("--set", help="Change a setting, such as dpo.beta=0.2. Repeatable.")
    ] = None,
    seeds: Annotated[
        str | None,
        typer.Option("--seeds", help="embedded, a folder with ift.jsonl and eft.jsonl, or oasst:FILE_OR_NAME."),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Stop with exit code 5 where an iteration gives a warning.")
    ] = False,
    max_cost: MaxCost = None,
    runs: Runs = DEFAULT_RUNS,
) -> None:
    """Train M1, M2, M3 from a base model by the self-rewarding loop.

    Resuming is the default: the same command goes on where it was stopped, and does nothing when all is done.
    """
    import json
    import time

    from srlm.config_file import load_config
    from srlm.console import Progress, duration, stdout
    from srlm.runs import plan_run, start_run
    from srlm.trackers import require_trackers
    from trainer.loop import train as run_loop
    from trainer.monitor.table import metrics_table
    from trainer.preflight import preflight, require_prices

    config = load_config(preset, [*(changes or []), *([f"seeds.source={json.dumps(seeds)}"] if seeds else [])])
    name = name or Path(preset).stem
    started = time.monotonic()
    progress = Progress()
    budget = budget_of(max_cost)
    if not (plan_run(runs, name, config).folder / "run.yaml").exists():
        preflight(config)  # nothing is written for a command that cannot work
    require_trackers(config.report_to)
    if budget is not None:
        require_prices(config, budget)
    run = start_run(runs, name, config)
    run.lock()
    try:
        trained = run_loop(config, run, progress, strict, budget)
    finally:
        run.close()
    console = stdout()
    if trained.iterations:
        console.print(metrics_table(trained.iterations))
    models = [model for model in trained.models if model not in {"M0", "SFT"}]
    names = ", ".join(models)
    if run.worked:
        console.print(
            f"{names} are in {run.folder} ({duration(time.monotonic() - started)}).", markup=False, soft_wrap=True
        )
    else:
        console.print(
            f"Nothing to do: {names} are already in {run.folder}, trained with this configuration.",
            markup=False,
            soft_wrap=True,
        )
    console.print(
        f"Next: {command('srlm', 'eval', *models, '--suite', 'alpaca,reward', '--runs', runs, '--run', run.name)}",
        markup=False,
        soft_wrap=True,
    )
