"""The number of examples that a process takes at once, where `per_device_train_batch_size` is auto.

On CUDA it is as large as the memory allows by `trainer/finetune/memory.py`, so that a GPU has fewer and larger kernels
to start. On other devices it is a fixed number. Gradients are accumulated up to `batch_size` in any case.

The estimate can be too high. Then the training writes half of it into `micro_batch.json` next to the model, and ends;
its parent starts it again (`trainer/finetune/launch.py`), from the last complete checkpoint, in processes whose memory
is empty. The file stays, so that a training that is killed and resumed has the same micro-batches as one that is not.
Left out: a larger number again for the rest of the training.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from srlm.engines.device import pick_device
from srlm.errors import SrlmError
from srlm.jsonl import read_json, write_json
from trainer.finetune.distributed import process_group, world_size
from trainer.finetune.job import DPOJob, Job
from trainer.finetune.memory import REFERENCE_FACTOR, Placement, largest_fitting, model_shape

LIMIT = "per_device_train_batch_size"


def micro_batch_size(job: Job, share: int, model: Any, longest: int) -> int:
    """Return the number of examples at once, a divisor of `share`.

    Args:
        job: the training.
        share: examples of this process in an optimiser step.
        model: the model before it is sharded and before adapters are added.
        longest: tokens of the longest example; of a pair, twice the longer side with its prompt.
    """
    setting = job.config.per_device_train_batch_size
    most = job.config.fixed_micro_batch if setting == "auto" else setting
    memory = device_memory(job.device) if setting == "auto" else None
    if memory is not None:
        shape = model_shape(model.config, sum(weight.numel() for weight in model.parameters()))
        if shape is not None:
            most = largest_fitting(shape, _placement(job), memory, share, longest)
        most = _smallest_of_all_processes(min(most, recorded_limit(job) or most))
    return _largest_divisor(share, most)


def reference_batch_size(job: DPOJob, micro: int) -> int | None:
    """Return the pairs at once of the reference log-probabilities on CUDA; None for as many as in training.

    There are no gradients and no optimiser yet, so memory for more is free.
    """
    automatic = job.config.per_device_train_batch_size == "auto" and device_memory(job.device) is not None
    return REFERENCE_FACTOR * micro if automatic else None


def next_smaller(micro: int, share: int) -> int:
    """Return half of a micro-batch, or the next number below that divides the share."""
    return _largest_divisor(share, max(1, micro // 2))


def _largest_divisor(share: int, most: int) -> int:
    return max(size for size in range(1, min(most, share) + 1) if share % size == 0)


def device_memory(device: str) -> int | None:
    """Return the bytes of the GPU on which this process trains; None if it is not CUDA.

    All of it counts, not what is free: the same training on the same machine has the same micro-batches.
    """
    import torch

    chosen = pick_device(device)
    if not chosen.startswith("cuda"):
        return None
    index = int(os.environ.get("LOCAL_RANK", "0")) if world_size() > 1 else torch.device(chosen).index or 0
    return int(torch.cuda.get_device_properties(index % torch.cuda.device_count()).total_memory)


def _placement(job: Job) -> Placement:
    """Return where accelerate puts the training's state, by the environment that its launcher has set."""
    deepspeed = os.environ.get("ACCELERATE_USE_DEEPSPEED", "false").lower() == "true"
    sharded = deepspeed or os.environ.get("ACCELERATE_USE_FSDP", "false").lower() == "true"
    return Placement(
        shards=world_size() if sharded else 1,
        offloaded=deepspeed and os.environ.get("ACCELERATE_DEEPSPEED_OFFLOAD_OPTIMIZER_DEVICE") == "cpu",
        adapters=bool(job.config.lora.rank),
        gradient_checkpointing=job.config.gradient_checkpointing,
    )


def _smallest_of_all_processes(size: int) -> int:
    """Return the same number in all processes: GPUs may differ, and the accumulation must not."""
    if world_size() == 1:
        return size
    import torch
    from accelerate.utils import gather

    return int(gather(torch.tensor([size], device=process_group().device)).min())


# --- after an out-of-memory error -------------------------------------------------------------------------------------


def _file(job: Job) -> Path:
    return job.folder.parent / "micro_batch.json"


def recorded_limit(job: Job) -> int | None:
    """Return the number of examples at once to which an earlier out-of-memory error has limited this training."""
    file = _file(job)
    return int(read_json(file)[LIMIT]) if file.exists() else None


def record_smaller(job: Job, micro: int, share: int) -> None:
    """Limit this training to half of a micro-batch that did not fit, if its number was found from the memory."""
    automatic = job.config.per_device_train_batch_size == "auto" and device_memory(job.device) is not None
    if automatic and micro > 1:
        write_json(_file(job), {LIMIT: next_smaller(micro, share)})


def retry_with_smaller_micro_batch(job: Job, train: Callable[[], None], say: Callable[[str], None]) -> None:
    """Train in other processes, and again each time that they have recorded a smaller micro-batch.

    Args:
        job: the training.
        train: starts the processes, and returns when they have ended.
        say: writes a line for the user.

    Raises:
        SrlmError: of `train`, if the memory was not the cause or a single example does not fit.
    """
    while True:
        before = recorded_limit(job)
        try:
            train()
        except SrlmError:
            now = recorded_limit(job)
            if now is None or now == before:
                raise
            kind = {"sft": "examples", "dpo": "pairs", "grpo": "answers"}[job.kind]
            say(
                f"{job.label}: out of memory. It goes on with {now} {kind} at once per process; the update is the same."
            )
        else:
            return
