"""What the machine can do to a training, memory or disk at their end: one message that says what to change."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from srlm.errors import NoDiskSpace, OutOfMemory

KEPT = "What is done is kept, and the same command goes on from there."


@contextmanager
def explained(label: str, section: str, micro_batch_size: int, max_length: int) -> Iterator[None]:
    """Run a training of `section`, "sft" or "dpo".

    Raises:
        OutOfMemory: a micro-batch does not fit.
        NoDiskSpace: a file could not be written to its end.
    """
    try:
        yield
    except Exception as error:
        if out_of_memory(error):
            now = f"{section}.per_device_train_batch_size = {micro_batch_size}"
            then = (
                f"Give a smaller one, such as --set {section}.per_device_train_batch_size={micro_batch_size // 2}"
                if micro_batch_size > 1
                else f"A new run with {section}.max_length below {max_length}, or with a smaller model, needs less"
            )
            raise OutOfMemory(f"{label}: the memory is too small for {now}. {then}. {KEPT}") from None
        if disk_is_full(error):
            raise NoDiskSpace(
                f"{label}: the disk is full. Make room; with --set {section}.save_steps=0 nothing is written before "
                f"the end of a training. {KEPT}"
            ) from None
        raise


def out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that memory could not be had; torch's own class is a RuntimeError."""
    words = str(error).lower()
    return isinstance(error, MemoryError) or "out of memory" in words or "allocate memory" in words


def disk_is_full(error: BaseException) -> bool:
    """Whether an exception of Python, torch or safetensors says that a file could not be written to its end."""
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return True
    words = str(error)
    return any(sign in words for sign in ("No space left", "os error 28", "StorageFull", "PytorchStreamWriter"))
