"""Report a training, step by step, to TensorBoard and Weights & Biases."""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from pathlib import Path
from typing import Any

from srlm.trackers import FOLDER, open_trackers
from trainer.finetune.job import Job

PATH_ARGUMENTS = frozenset({"output_dir", "logging_dir"})
"""Arguments of a trainer that are folders, absolute or not."""


@contextmanager
def report_training(trainer: Any, job: Job, since: int) -> Iterator[None]:
    """Let transformers' callbacks report into `tracking` in the model's folder, from the step `since` on.

    W&B's callback takes the run that is open. TensorBoard's own would open another folder and could not mark the steps
    after a resume as replacing those before it. Neither is given a path of this machine.
    """
    from accelerate import PartialState
    from transformers.integrations.integration_utils import TensorBoardCallback, WandbCallback

    class TensorBoard(TensorBoardCallback):  # type: ignore[misc, unused-ignore]
        def on_train_begin(self, args: Any, *rest: Any, **more: Any) -> None:
            super().on_train_begin(without_paths(args), *rest, **more)  # type: ignore[no-untyped-call]

    class WandB(WandbCallback):  # type: ignore[misc, unused-ignore]
        def setup(self, args: Any, *rest: Any, **more: Any) -> None:
            super().setup(without_paths(args), *rest, **more)  # type: ignore[no-untyped-call]

    kinds = {"tensorboard": (TensorBoardCallback, TensorBoard), "wandb": (WandbCallback, WandB)}
    model = job.folder.parent
    names = job.report_to if PartialState().is_main_process else ()
    with open_trackers(names, model / FOLDER, model.name, model.parent.name, since) as trackers:
        for one in trackers:
            theirs, ours = kinds[one.name]
            trainer.remove_callback(theirs)
            trainer.add_callback(ours(one.tracker) if one.name == "tensorboard" else ours())
        yield


def without_paths(arguments: Any) -> Any:
    """Return a copy of a trainer's arguments in which every folder of this machine is empty."""
    reported = copy(arguments)
    for name, value in vars(arguments).items():
        if name in PATH_ARGUMENTS or (isinstance(value, str | Path) and Path(value).is_absolute()):
            setattr(reported, name, "" if value is not None else None)
    return reported
