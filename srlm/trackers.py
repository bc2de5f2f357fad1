"""Figures on their way to TensorBoard and Weights & Biases: accelerate's trackers, each in a folder of the run.

The setting `report_to` says to which. A training reports through transformers' callbacks (`trainer/finetune/trackers.py`) into
the tracker's run that is open here; what the monitor and the suites measured is logged by the tracker itself.
How W&B is reached, or that it is not (WANDB_MODE=offline), is said by its own variables.
"""

import os
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from srlm.atomic_files import write_text
from srlm.errors import UsageError
from srlm.optional_deps import require

FOLDER = "tracking"
"""How a folder of events is called: in a model's folder its training, in the run's the monitor and the suites."""

PROJECT = "srlm"
"""W&B's project, if WANDB_PROJECT names no other."""


def require_trackers(names: Collection[str]) -> None:
    """Say which tracker is not installed, before anything is computed.

    Raises:
        MissingDependency: with the command that installs it.
    """
    for name in names:
        require(name, f"report_to={name}", "trackers")
        require("accelerate", f"report_to={name}", "trackers")


@contextmanager
def tracked(names: Collection[str], folder: Path, name: str, group: str, since: int = 0) -> Iterator[list[Any]]:
    """Open trackers of accelerate, and close them in the end.

    Args:
        names: which, see `srlm.config.TrainConfig.report_to`.
        folder: where their files lie. TensorBoard shows it as one run, and to W&B it always is the same run.
        name: what W&B calls it.
        group: what W&B groups it by.
        since: the first step that is to be logged. TensorBoard forgets what the folder has from there on.

    Raises:
        UsageError: W&B lacks a key, or cannot be reached.
    """
    with ExitStack() as stack:
        opened = []
        for one in names:
            tracker = _tensorboard(folder, since) if one == "tensorboard" else _wandb(folder, name, group)
            stack.callback(tracker.finish)
            opened.append(tracker)
        yield opened


def _tensorboard(folder: Path, since: int) -> Any:
    from accelerate.tracking import TensorBoardTracker

    tracker = TensorBoardTracker("", folder, purge_step=since)
    tracker.start()
    return tracker


def _wandb(folder: Path, name: str, group: str) -> Any:
    import wandb
    from accelerate.tracking import WandBTracker

    folder.mkdir(parents=True, exist_ok=True)
    tracker = WandBTracker(
        os.environ.get("WANDB_PROJECT", PROJECT),
        name=name,
        group=group,
        dir=str(folder),
        id=_identifier(folder / "wandb-id"),
        resume="allow",
        # Neither what the terminal shows nor how the command was called goes there: an address may carry credentials.
        settings={"console": "off", "silent": True, "disable_git": True, "disable_code": True, "x_disable_meta": True},
    )
    try:
        tracker.start()
    except wandb.Error as error:
        raise UsageError(
            f"report_to=wandb: W&B does not begin ({type(error).__name__}). Log in with `wandb login`, or keep its "
            "files here with WANDB_MODE=offline and send them later with `wandb sync`. What is done is kept."
        ) from None
    return tracker


def _identifier(file: Path) -> str:
    """W&B's id of the run in a folder: drawn once, so that what was stopped goes on as the same run."""
    if not file.exists():
        write_text(file, uuid4().hex[:8])
    return file.read_text(encoding="utf-8")
