"""Whole models on the way of a training, for a judge to choose from: `kept/step-N` beside the model's checkpoint.

They are apart from what a stopped training goes on from (`trainer/finetune/resume.py`): those hold the optimiser too, and one is
enough. Imported late: it needs transformers.
"""

import shutil
from typing import Any

from accelerate import PartialState
from transformers import TrainerCallback

from trainer.finetune.divergence import require_finite
from trainer.finetune.job import Preference
from trainer.finetune.trl_common import WHOLE, kept, write_model


class Along(TrainerCallback):  # type: ignore[misc, unused-ignore]
    """Writes the model after each `every` optimiser steps, but not after the last, where it is written anyway."""

    def __init__(self, trainer: Any, tokenizer: Any, job: Preference) -> None:
        self._every, self._place = job.config.stopping.every, kept(job.folder)
        self._trainer, self._tokenizer, self._job = trainer, tokenizer, job

    def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """One that is whole is not written again where a training goes on from before it: it would be the same."""
        whole = self._place / f"{WHOLE}{state.global_step}"
        if state.global_step % self._every or state.global_step >= state.max_steps or whole.exists():
            return
        require_finite(self._job, state, args, self._trainer.model)
        unfinished = whole.with_name(f"unfinished-{state.global_step}")
        processes = PartialState()
        processes.wait_for_everyone()
        if processes.is_main_process:
            shutil.rmtree(unfinished, ignore_errors=True)
        processes.wait_for_everyone()
        write_model(self._trainer, self._tokenizer, self._job.start, unfinished)
        processes.wait_for_everyone()
        if processes.is_main_process:
            unfinished.rename(whole)
        processes.wait_for_everyone()
