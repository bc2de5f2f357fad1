"""Snapshots of the model during DPO, `kept/step-N` next to the final checkpoint, for early stopping to choose from.

They are separate from the checkpoints for resuming (`trainer/finetune/resume.py`), which also hold the optimiser and of
which only the last is kept. Imported late: it needs transformers.
"""

import shutil
from typing import Any

from accelerate import PartialState
from transformers import TrainerCallback

from trainer.finetune.checkpoints import complete_checkpoint, snapshot_dir
from trainer.finetune.divergence import require_finite
from trainer.finetune.job import DPOJob
from trainer.finetune.save import write_model


class SnapshotCallback(TrainerCallback):  # type: ignore[misc, unused-ignore]
    """Callback that writes the model after every `stopping.every` optimiser steps, except after the last step."""

    def __init__(self, trainer: Any, tokenizer: Any, job: DPOJob) -> None:
        self._every, self._folder = job.config.stopping.every, snapshot_dir(job.folder)
        self._trainer, self._tokenizer, self._job = trainer, tokenizer, job

    def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """Write a snapshot, unless a training that was resumed from an earlier step has already written it."""
        complete = complete_checkpoint(self._folder, state.global_step)
        if state.global_step % self._every or state.global_step >= state.max_steps or complete.exists():
            return
        require_finite(self._job, state, args, self._trainer.model)
        unfinished = complete.with_name(f"unfinished-{state.global_step}")
        processes = PartialState()
        processes.wait_for_everyone()
        if processes.is_main_process:
            shutil.rmtree(unfinished, ignore_errors=True)
        processes.wait_for_everyone()
        write_model(self._trainer, self._tokenizer, self._job.start, unfinished)
        processes.wait_for_everyone()
        if processes.is_main_process:
            unfinished.rename(complete)
        processes.wait_for_everyone()
