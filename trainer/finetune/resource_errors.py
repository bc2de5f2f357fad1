"""Errors of a training for which memory or disk space is the cause, each as one message with the setting to change."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from srlm.errors import NoDiskSpace, OutOfMemory
from trainer.finetune.job import Job
from trainer.finetune.micro_batch import record_smaller

RESUME_ADVICE = "Finished steps are kept; the same command resumes from there."


@contextmanager
def translate_resource_errors(job: Job, arguments: Any) -> Iterator[None]:
    """Turn out-of-memory and disk-full errors of a training into user messages.

    Args:
        job: the training.
        arguments: those of its trainer, from which the present micro-batch is taken.

    Raises:
        OutOfMemory: a micro-batch does not fit into memory. Half of it is recorded, if its number is found from memory.
        NoDiskSpace: a file could not be written completely.
    """
    from srlm.engines.batch_size import is_out_of_memory  # now, and not when there is no memory left

    section, micro = job.kind, arguments.per_device_train_batch_size
    try:
        yield
    except Exception as error:
        if is_out_of_memory(error):
            record_smaller(job, micro, micro * arguments.gradient_accumulation_steps)
            now = f"{section}.per_device_train_batch_size = {micro}"
            then = (
                f"Set a smaller one, such as --set {section}.per_device_train_batch_size={micro // 2}"
                if micro > 1
                else f"Start a new run with {_longest(job)}, a smaller model, or more GPUs (docs/explain/scale.md)"
            )
            raise OutOfMemory(f"{job.label}: out of memory with {now}. {then}. {RESUME_ADVICE}") from None
        if is_disk_full(error):
            raise NoDiskSpace(
                f"{job.label}: the disk is full. Make room, or set {section}.save_steps=0, so that nothing is written "
                f"before the end of a training. {RESUME_ADVICE}"
            ) from None
        raise


def _longest(job: Job) -> str:
    """Return the setting that limits the tokens of an example, with a value below which it helps."""
    if job.kind == "grpo":
        return f"grpo.max_completion_length below {job.config.max_completion_length}"
    return f"{job.kind}.max_length below {job.config.max_length}"


def is_disk_full(error: BaseException) -> bool:
    """Return true for an error of Python, torch or safetensors because the disk is full or the quota is used up."""
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return True
    words = str(error)
    return any(sign in words for sign in ("No space left", "os error 28", "StorageFull", "PytorchStreamWriter"))
