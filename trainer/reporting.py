"""What a run reports to trackers: each training, step by step, and the monitor, iteration by iteration."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from srlm.health import Health
from srlm.runs import Run
from srlm.trackers import FOLDER, tracked
from trainer.job import Preference, Supervision

DERIVED = ("canary_gap", "pair_yield", "length_gap_share", "contaminated_share")


@contextmanager
def reported(trainer: Any, job: Supervision | Preference, since: int) -> Iterator[None]:
    """Let transformers' callbacks report into `tracking` in the model's folder, from the step `since` on.

    W&B's callback takes the run that is open. TensorBoard's would open a folder of its own, and could not say that
    steps which follow a kill replace those before it.
    """
    from accelerate import PartialState
    from transformers.integrations.integration_utils import TensorBoardCallback

    model = job.folder.parent
    names = job.report_to if PartialState().is_main_process else ()
    with tracked(names, model / FOLDER, model.name, model.parent.name, since) as trackers:
        for one in trackers:
            if one.name == "tensorboard":
                trainer.remove_callback(TensorBoardCallback)
                trainer.add_callback(TensorBoardCallback(one.tracker))  # type: ignore[no-untyped-call]
        yield


def report_health(run: Run, number: int, figures: Health) -> None:
    """The figures of an iteration, at its number. Said again, they take the place of what was said."""
    with tracked(run.config.report_to, run.folder / FOLDER / "monitor", "monitor", run.name, number) as trackers:
        for one in trackers:
            one.log({f"monitor/{name}": value for name, value in numbers(figures).items()}, step=number)


def numbers(figures: Health) -> dict[str, float]:
    """What can be drawn as a curve: all that is a number, and the counts and means by kind with the kind behind a /."""
    found: dict[str, float] = {}
    for name, value in {**asdict(figures), **{name: getattr(figures, name) for name in DERIVED}}.items():
        parts = {f"{name}/{kind}": one for kind, one in value.items()} if isinstance(value, dict) else {name: value}
        found |= {key: one for key, one in parts.items() if isinstance(one, int | float) and key != "schema"}
    return found
