"""`srlm train`: run the self-rewarding loop, or go on with it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from srlm.cli.options import DEFAULT_RUNS, Runs

if TYPE_CHECKING:
    from trainer.monitor import Health


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
    runs: Runs = DEFAULT_RUNS,
) -> None:
    """Train M1, M2, M3 from a base model by the self-rewarding loop.

    Resuming is the default: the same command goes on where it was stopped, and does nothing when all is done.
    """
    import json
    import time

    from srlm.config import load_config
    from srlm.display import Progress, duration, stdout
    from srlm.runs import start_run
    from trainer.loop import preflight
    from trainer.loop import train as run_loop

    config = load_config(preset, [*(changes or []), *([f"seeds.source={json.dumps(seeds)}"] if seeds else [])])
    name = name or Path(preset).stem
    started = time.monotonic()
    progress = Progress()
    if not (runs / name / "run.yaml").exists():
        preflight(config)  # nothing is written for a command that cannot work
    run = start_run(runs, name, config)
    run.lock()
    try:
        trained = run_loop(config, run, progress)
    finally:
        run.close()
    console = stdout()
    if trained.iterations:
        console.print(_table(trained.iterations))
    names = ", ".join(model for model in trained.models if model not in {"M0", "SFT"})
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
        f"Next: srlm eval {names.replace(',', '')} --suite alpaca,reward --runs {runs} --run {run.name}",
        markup=False,
        soft_wrap=True,
    )


def _table(iterations: "list[Health]") -> "object":
    """The health of each iteration, models as columns."""
    from rich.table import Table

    table = Table(title="What each iteration learned from", title_justify="left")
    table.add_column("")
    for one in iterations:
        table.add_column(one.model, justify="right")

    def row(label: str, cells: list[str]) -> None:
        table.add_row(label, *cells)

    def counts(of: dict[str, int]) -> str:
        return "\n".join(f"{reason} {count}" for reason, count in of.items()) or "-"

    row("new instructions", [str(one.instructions) for one in iterations])
    row("  refused", [counts(one.refused) for one in iterations])
    row("candidates", [str(one.candidates) for one in iterations])
    row("  mean length, characters", [f"{one.mean_length:.0f}" for one in iterations])
    row("  cut at the token limit", [f"{one.cut_share:.0%}" for one in iterations])
    row("verdicts that could be read", [f"{one.parse_rate:.0%}" for one in iterations])
    row(
        "  scores 0 to 5",
        [" ".join(str(one.score_histogram.get(str(value), 0)) for value in range(6)) for one in iterations],
    )
    row("preference pairs", [str(one.pairs) for one in iterations])
    row("  dropped", [counts(one.dropped) for one in iterations])
    row("  chosen - rejected, characters", [_signed(one.length_gap) for one in iterations])
    row("  chosen - rejected, points", [_signed(one.reward_gap, 2) for one in iterations])
    return table


def _signed(value: float | None, digits: int = 0) -> str:
    return "-" if value is None else f"{value:+.{digits}f}"
