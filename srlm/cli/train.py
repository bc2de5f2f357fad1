"""`srlm train`: run the self-rewarding loop, or resume it."""

import time
from typing import Annotated

import typer

from srlm.cli.options import DEFAULT_RUNS, MaxConnections, MaxCost, Runs, Timeout, command


def train(
    preset: Annotated[str, typer.Argument(help="A preset, or a YAML file.")] = "quickstart",
    name: Annotated[str | None, typer.Option("--name", help="Name of the run; the preset's, if not given.")] = None,
    changes: Annotated[
        list[str] | None, typer.Option("--set", help="Change a setting, such as dpo.beta=0.2. Repeatable.")
    ] = None,
    seeds: Annotated[
        str | None,
        typer.Option(
            "--seeds",
            help="embedded, a file, hf:OWNER/NAME, a folder with ift.jsonl and eft.jsonl, or oasst:FILE_OR_NAME.",
        ),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Stop with exit code 5 where an iteration gives a warning.")
    ] = False,
    max_connections: MaxConnections = None,
    timeout: Timeout = None,
    max_cost: MaxCost = None,
    runs: Runs = DEFAULT_RUNS,
) -> None:
    """Train M1, M2, M3 by the self-rewarding loop, from a base model or an instruct model.

    The same command resumes a run that was stopped, and does nothing when all is done.
    """
    from evals.report.sections.iterations import read_iteration_metrics
    from evals.report.sections.rollouts import read_rollout_metrics
    from srlm import api
    from srlm.console import duration, stdout
    from srlm.task_seed import TASKS
    from trainer.monitor.rollouts import rollout_table
    from trainer.monitor.table import metrics_table

    started = time.monotonic()
    run = api.train(
        preset,
        name=name,
        overrides=changes or (),
        seeds=seeds,
        strict=strict,
        max_connections=max_connections,
        timeout=timeout,
        max_cost=max_cost,
        runs=runs,
    )
    if iterations := read_iteration_metrics(run):
        stdout().print(metrics_table(iterations))
    if rollouts := read_rollout_metrics(run):
        stdout().print(rollout_table(rollouts))
    models = [model for model in run.models() if model not in {"M0", "SFT"}]
    names = ", ".join(model for model in models if not run.is_given(model)) or "No trained models"
    took = duration(time.monotonic() - started)
    done = f"{names} are in {run.folder} ({took})."
    if not run.worked:
        done = f"Nothing to do: {names} are already in {run.folder}, trained with this configuration."
    if run.is_given("M1"):
        done += f" M1 is the given model, {run.config.model}."
    suites = "alpaca,reward" if run.path("seeds/validation").exists() else "alpaca"  # that of a judge needs seed data
    if run.config.instructions.source in TASKS or run.config.learn_from == "rollouts":
        suites = "verifiable"
    following = command("srlm", "eval", *models, "--suite", suites, "--runs", runs, "--run", run.name)
    for line in (done, f"Next: {following}"):
        stdout().print(line, markup=False, soft_wrap=True)
