"""What a run reports to trackers: each training, step by step, and the monitor, iteration by iteration."""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import asdict
from pathlib import Path
from typing import Any

from srlm.iteration_metrics import Health
from srlm.runs import Run
from srlm.trackers import FOLDER, open_trackers
from trainer.finetune.job import Preference, Supervision

DERIVED = ("canary_gap", "pair_yield", "length_gap_share", "contaminated_share")


PLACES = frozenset({"output_dir", "logging_dir"})
"""Arguments of a trainer that are folders, absolute or not."""


@contextmanager
def reported(trainer: Any, job: Supervision | Preference, since: int) -> Iterator[None]:
    """Let transformers' callbacks report into `tracking` in the model's folder, from the step `since` on.

    W&B's callback takes the run that is open. TensorBoard's would open a folder of its own, and could not say that
    steps which follow a kill replace those before it. Neither is told a path of this machine.
    """
    from accelerate import PartialState
    from transformers.integrations.integration_utils import TensorBoardCallback, WandbCallback

    class TensorBoard(TensorBoardCallback):  # type: ignore[misc, unused-ignore]
        def on_train_begin(self, args: Any, *rest: Any, **more: Any) -> None:
            super().on_train_begin(without_places(args), *rest, **more)  # type: ignore[no-untyped-call]

    class WandB(WandbCallback):  # type: ignore[misc, unused-ignore]
        def setup(self, args: Any, *rest: Any, **more: Any) -> None:
            super().setup(without_places(args), *rest, **more)  # type: ignore[no-untyped-call]

    kinds = {"tensorboard": (TensorBoardCallback, TensorBoard), "wandb": (WandbCallback, WandB)}
    model = job.folder.parent
    names = job.report_to if PartialState().is_main_process else ()
    with open_trackers(names, model / FOLDER, model.name, model.parent.name, since) as trackers:
        for one in trackers:
            theirs, ours = kinds[one.name]
            trainer.remove_callback(theirs)
            trainer.add_callback(ours(one.tracker) if one.name == "tensorboard" else ours())
        yield


def without_places(arguments: Any) -> Any:
    """A trainer's arguments without the folders of this machine, which no tracker needs to know."""
    told = copy(arguments)
    for name, value in vars(arguments).items():
        if name in PLACES or (isinstance(value, str | Path) and Path(value).is_absolute()):
            setattr(told, name, "" if value is not None else None)
    return told


def report_health(run: Run, number: int, figures: Health) -> None:
    """The figures of an iteration, at its number. Said again, they take the place of what was said."""
    with open_trackers(run.config.report_to, run.folder / FOLDER / "monitor", "monitor", run.name, number) as trackers:
        for one in trackers:
            one.log({f"monitor/{name}": value for name, value in numbers(figures).items()}, step=number)


def numbers(figures: Health) -> dict[str, float]:
    """What can be drawn as a curve: all that is a number, and the counts and means by kind with the kind behind a /."""
    found: dict[str, float] = {}
    for name, value in {**asdict(figures), **{name: getattr(figures, name) for name in DERIVED}}.items():
        parts = {f"{name}/{kind}": one for kind, one in value.items()} if isinstance(value, dict) else {name: value}
        found |= {key: one for key, one in parts.items() if isinstance(one, int | float) and key != "schema"}
    return found
