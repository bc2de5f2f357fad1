"""Resume inside a training: checkpoints with optimiser, schedule and random states, of which only the last is kept.

They are in `training/` next to the model's checkpoint, and are removed when the training has ended. transformers writes
`checkpoint-N`, which a kill can leave half written. Once it is complete it is renamed to `step-N`, and only such
checkpoints are read. The states of optimiser and random generators are torch files, which transformers loads as plain
tensors (weights_only). The pickle of the arguments is removed.

A checkpoint is of its launcher: each process has random states in it, and FSDP and DeepSpeed have forms of their own
for the optimiser. transformers would resume one of another launcher with a new optimiser, and say nothing. Imported
late: it needs transformers.
"""

import shutil
from pathlib import Path
from typing import Any

from accelerate import PartialState
from transformers import TrainerCallback

from srlm.console import Progress
from trainer.finetune.checkpoints import complete_checkpoint, complete_checkpoints
from trainer.finetune.distributed import world_size
from trainer.finetune.divergence import non_finite_tensors
from trainer.finetune.launcher_settings import uses_deepspeed, uses_fsdp
from trainer.finetune.stored_weights import stored_tensors

OPTIMISERS = {"optimizer.pt": "whole", "optimizer.bin": "fsdp"}
"""Sharding of the training that has written an optimiser to this file. DeepSpeed writes a folder of its own."""


def last_complete(folder: Path, label: str, progress: Progress) -> tuple[int, Path] | None:
    """Return the step and path of the last complete checkpoint with finite weights, if the same launcher wrote it.

    All else in the folder is removed: incomplete checkpoints, older ones, and those of a training that has diverged.
    """
    state = PartialState()
    if state.is_main_process and folder.exists():
        usable = [
            path
            for path in complete_checkpoints(folder).values()
            if not any(non_finite_tensors([one]) for one in stored_tensors(path))
        ]
        if usable and _layout(usable[-1]) != _present_layout():
            progress.say(
                f"{label}: begins again at its first step, because the launcher is another one than that of "
                f"{usable[-1].name}."
            )
            usable = []
        for path in set(folder.iterdir()) - set(usable[-1:]):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    state.wait_for_everyone()
    left = list(complete_checkpoints(folder).items())
    return left[-1] if left else None


def _layout(checkpoint: Path) -> tuple[int, str]:
    """Return the number of processes and the sharding of the training that wrote a checkpoint."""
    found = (sharding for file, sharding in OPTIMISERS.items() if (checkpoint / file).exists())
    return len(list(checkpoint.glob("rng_state*.pth"))), next(found, "deepspeed")


def _present_layout() -> tuple[int, str]:
    """Return the same of this training."""
    return world_size(), "fsdp" if uses_fsdp() else "deepspeed" if uses_deepspeed() else "whole"


class ResumeCallback(TrainerCallback):  # type: ignore[misc, unused-ignore]
    """Callback that renames each complete checkpoint and removes those before it."""

    def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """Skip the checkpoint of the last step: the final model is written next."""
        control.should_save = control.should_save and state.global_step < state.max_steps

    def on_save(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """Rename the checkpoint in the main process, once all processes have written their part."""
        processes = PartialState()
        processes.wait_for_everyone()
        if processes.is_main_process:
            folder = Path(args.output_dir)
            written = folder / f"checkpoint-{state.global_step}"
            (written / "training_args.bin").unlink(missing_ok=True)
            before = list(complete_checkpoints(folder).values())
            written.rename(complete_checkpoint(folder, state.global_step))
            for path in before:
                shutil.rmtree(path)
        processes.wait_for_everyone()
