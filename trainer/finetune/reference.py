"""The reference log-probabilities of DPO: those of M_t for both answers of every pair, a stage of the run.

They are computed once, before the first optimiser step, by the model that training then changes: it is M_t until then,
whole or sharded as the launcher has it (DDP, FSDP, DeepSpeed), and new LoRA adapters add exactly 0. So no process ever
loads a second model, and none is wrapped or sharded twice. The values are stored as `M2/reference.jsonl` before
training begins: a training that was killed reads them, when its weights are no longer those of M_t.

TRL's own precomputation is replaced, because under FSDP it loads a whole reference model into every process, and under
DeepSpeed it wraps the policy, which rounds its weights to bfloat16. The values are those of TRL
(tests/trainer/finetune/test_reference.py). Imported late: it needs torch and transformers.
"""

import shutil
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil, isfinite
from typing import Any

import torch
from accelerate import PartialState
from torch.utils.data import Dataset
from transformers import TrainerCallback

from srlm.console import Progress
from srlm.errors import Diverged
from srlm.jsonl import parse_lines, write_records
from srlm.types import SCHEMA
from trainer.finetune.checkpoints import reference_file, trainer_state_dir
from trainer.finetune.job import DPOJob


@dataclass(frozen=True)
class ReferenceLogProbs:
    """Natural log-probabilities of a pair's answers under M_t, each summed over its tokens within `dpo.max_length`."""

    pair_id: str
    chosen: float
    rejected: float
    schema: int = field(default=SCHEMA)


class ReferencedPairs(Dataset[dict[str, Any]]):
    """Tokenized pairs with the reference log-probabilities as the columns that TRL reads, once these are known."""

    def __init__(self, rows: Any, found: Sequence[ReferenceLogProbs] | None) -> None:
        self.rows = rows
        self.found = found

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Return one pair."""
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[dict[str, Any]]:
        """Return a micro-batch of pairs; without the columns, as long as they are not known."""
        rows: list[dict[str, Any]] = self.rows.__getitems__(list(indices))
        if self.found is not None:
            for row, index in zip(rows, indices, strict=True):
                row["ref_chosen_logps"], row["ref_rejected_logps"] = (
                    self.found[index].chosen,
                    self.found[index].rejected,
                )
        return rows


def stored_reference(job: DPOJob, pair_ids: Sequence[str], progress: Progress) -> list[ReferenceLogProbs] | None:
    """Return the stored log-probabilities of these pairs; None if there are none, or those of other pairs.

    In that case the checkpoints to resume from are removed, as those of an earlier version of srlm, which stored no
    log-probabilities: their weights are no longer those of M_t. Training begins again and reaches the same result.

    Raises:
        DataError: the file is damaged.
    """
    state, folder = PartialState(), trainer_state_dir(job.folder)
    if state.is_main_process and _read(job, pair_ids) is None and folder.exists():
        file = reference_file(job.folder)
        progress.say(f"{job.label}: begins again at its first step, because {file} does not have its pairs.")
        shutil.rmtree(folder)
    state.wait_for_everyone()
    return _read(job, pair_ids)


def _read(job: DPOJob, pair_ids: Sequence[str]) -> list[ReferenceLogProbs] | None:
    file = reference_file(job.folder)
    found = parse_lines(file, ReferenceLogProbs) if file.exists() else []
    return found if [one.pair_id for one in found] == list(pair_ids) else None


class ReferenceCallback(TrainerCallback):  # type: ignore[misc, unused-ignore]
    """Callback that computes and stores the log-probabilities before the first step, if they are not known."""

    def __init__(self, trainer: Any, job: DPOJob, pair_ids: Sequence[str]) -> None:
        # Weak, because the trainer refers to its callbacks: a cycle would keep the model after the training.
        self._trainer, self._job, self._pair_ids = weakref.proxy(trainer), job, pair_ids

    def on_train_begin(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """Compute them now: the model is on its devices, and no pair was read for a step yet.

        Raises:
            Diverged: one is not finite.
        """
        job, pairs = self._job, self._trainer.train_dataset
        if pairs.found is not None:
            return
        sums = compute_reference(self._trainer, pairs)
        bad = [name for name, one in zip(self._pair_ids, sums, strict=True) if not all(map(isfinite, one))]
        if bad:
            raise Diverged(
                f"{job.label}: of {len(sums)} pairs, {len(bad)} have an answer, such as one of {bad[0]}, whose "
                f"log-probability under {job.start} is not finite. Check its weights; dtype=float32 is more precise "
                "than bfloat16."
            )
        found = zip(self._pair_ids, sums, strict=True)
        pairs.found = [ReferenceLogProbs(name, chosen, rejected) for name, (chosen, rejected) in found]
        if PartialState().is_main_process:
            write_records(reference_file(job.folder), pairs.found)
        PartialState().wait_for_everyone()


def compute_reference(trainer: Any, pairs: Any) -> list[list[float]]:
    """Return the log-probabilities of the chosen and the rejected answer of each pair, in all processes.

    Args:
        trainer: TRL's DPOTrainer, whose model is prepared for training and has not been trained.
        pairs: its tokenized pairs. Micro-batches are those of TRL's own precomputation.
    """
    accelerator, model, arguments = trainer.accelerator, trainer.model_wrapped, trainer.args
    size = arguments.precompute_ref_batch_size or arguments.per_device_train_batch_size
    batches = [range(first, min(first + size, len(pairs))) for first in range(0, len(pairs), size)]
    sums = torch.zeros(len(pairs), 2, device=accelerator.device)
    model.eval()  # no dropout; the trainer sets the mode before each step
    with torch.no_grad(), trainer.compute_loss_context_manager():
        for turn in range(ceil(len(batches) / accelerator.num_processes)):
            number = turn * accelerator.num_processes + accelerator.process_index
            # With sharded weights every process must run each forward pass: one without a batch repeats the last.
            batch = batches[min(number, len(batches) - 1)]
            collated = trainer.data_collator(pairs.__getitems__(batch))
            inputs = {name: tensor.to(accelerator.device) for name, tensor in collated.items()}
            labels = inputs["input_ids"].masked_fill(inputs["completion_mask"] == 0, -100)
            log_probs = model(
                input_ids=inputs["input_ids"],
                attention_mask=inputs["attention_mask"],
                labels=labels,
                use_cache=False,
                fused_lm_head=True,
            ).log_probs
            if number < len(batches):
                # The chosen answers are the first half.
                sums[batch.start : batch.stop] = log_probs.sum(dim=1).reshape(2, len(batch)).T
    # Each row was filled by one process and is 0 in the others.
    found: list[list[float]] = accelerator.reduce(sums, reduction="sum").tolist()
    return found
