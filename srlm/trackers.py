"""Experiment trackers: TensorBoard and Weights & Biases through accelerate, each in a folder of the run.

The setting `report_to` selects them. A training reports through transformers' callbacks
(`trainer.finetune.trackers`) into the tracker's run that is open here; the metrics of the monitor and of the suites are
logged by the tracker itself. W&B is configured by its own environment variables (WANDB_MODE=offline ...).
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
"""Name of the folder with events: a model's folder has that of its training, the run's those of monitor and suites."""

PROJECT = "srlm"
"""W&B's project, unless WANDB_PROJECT names another."""


def require_trackers(names: Collection[str]) -> None:
    """Refuse trackers that are not installed, before anything is computed.

    Raises:
        MissingDependency: the message has the command that installs it.
    """
    for name in names:
        require(name, f"report_to={name}", "trackers")
        require("accelerate", f"report_to={name}", "trackers")


@contextmanager
def open_trackers(names: Collection[str], folder: Path, name: str, group: str, since: int = 0) -> Iterator[list[Any]]:
    """Open trackers of accelerate; close them at the end of the block.

    Args:
        names: which, see `srlm.config.TrainConfig.report_to`.
        folder: of their files. It is one run in TensorBoard and always the same run in W&B.
        name: of the run in W&B.
        group: of the run in W&B.
        since: the first step that is logged. TensorBoard drops what the folder has from there on.

    Raises:
        UsageError: W&B has no key, or cannot be reached.
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
        # Neither terminal output nor the command line is sent: an address may contain credentials.
        settings={"console": "off", "silent": True, "disable_git": True, "disable_code": True, "x_disable_meta": True},
    )
    try:
        tracker.start()
    except wandb.Error as error:
        raise UsageError(
            f"report_to=wandb: W&B cannot start ({type(error).__name__}). Log in with `wandb login`, or keep its "
            "files here with WANDB_MODE=offline and upload them later with `wandb sync`. Completed stages are kept."
        ) from None
    return tracker


def _identifier(file: Path) -> str:
    """Return W&B's id of the run in a folder: created once, so that a stopped run is resumed as the same run."""
    if not file.exists():
        write_text(file, uuid4().hex[:8])
    return file.read_text(encoding="utf-8")
