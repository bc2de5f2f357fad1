"""Results of the learning test: the table for people, a row a run, and the records for machines."""

from collections.abc import Sequence
from dataclasses import asdict
from math import isnan
from typing import Any

from learn_run import Learned, Task
from srlm.stats.intervals import Estimate, mean_interval


def table(found: Sequence[Learned], task: Task) -> Any:
    """Return the table: solved shares or words used with their intervals."""
    from rich.table import Table

    title = task.title.format(found[0].models[0].solved.n)
    shown = Table(title=f"{title}, 95 % intervals", title_justify="left")
    whole = "solved" if task.preset == "sentences" else "pass@4"
    steps = max(len(one.models) for one in found)
    shown.add_column("seed", justify="right")
    for step in range(steps):
        shown.add_column(f"M{step + 1}", justify="right", no_wrap=True)
    shown.add_column("gain", justify="right", no_wrap=True)
    for column in (whole, "judge", "read", "s"):
        shown.add_column(column, justify="right")
    for one in found:
        rest = [""] * (steps - len(one.models))
        shown.add_row(
            f"{one.seed}" + (f" {one.control}" if one.control else ""),
            *[*map(interval, (model.words or model.solved for model in one.models)), *rest],
            f"{one.gain:+.3f} [{one.interval.low:+.3f}, {one.interval.high:+.3f}]",
            " ".join(f"{(model.pass_at_4 or model.solved).value:.3f}" for model in one.models),
            " ".join("-" if isnan(model.judge.value) else f"{model.judge.value:.3f}" for model in one.models),
            f"{min(model.read for model in one.models):.2f}",
            f"{one.seconds:.0f}",
        )
    return shown


def records(found: Sequence[Learned], changes: Sequence[str]) -> list[dict[str, Any]]:
    """Return the runs as JSON, without the hundreds of numbers of which the intervals are made."""
    made = [{"changes": list(changes), **asdict(one)} for one in found]
    for model in (model for record in made for model in record["models"]):
        del model["items"]
    return made


def gain_of(runs: Sequence[Learned], full: int = 1) -> Estimate:
    """Return the mean gain of some runs, with Student's 95 % interval over the seeds."""
    return mean_interval([one.gain for one in runs], bounds=(-full, full))


def signed(one: Estimate) -> str:
    """Return a difference with its interval; one seed has none."""
    return f"{one.value:+.3f}" + ("" if isnan(one.low) else f" [{one.low:+.3f}, {one.high:+.3f}]")


def interval(share: Estimate) -> str:
    """Return a share with its interval."""
    return f"{share.value:.3f} [{share.low:.3f}, {share.high:.3f}]"
