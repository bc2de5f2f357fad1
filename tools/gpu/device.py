"""The device: waiting for it, and its memory. On a processor memory is what tensors of this process hold."""

import gc
import time
from collections.abc import Callable
from typing import Any

import torch


def device_name(device: str) -> str:
    """Return the name of the GPU; "processor" without one."""
    return torch.cuda.get_device_name() if device == "cuda" else "processor"


def synchronize() -> None:
    """Wait until the GPU has done what it was given."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def best_seconds(work: Callable[[], Any], repeats: int) -> float:
    """Return the shortest of several times of some work, after one that is not timed."""
    work()
    synchronize()
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        synchronize()
        seconds.append(time.perf_counter() - began)
    return min(seconds)


def held_gb() -> float:
    """Return the GB that tensors of this process hold on the GPU, or on a processor in its memory."""
    if torch.cuda.is_available():
        return float(torch.cuda.memory_allocated() / 1e9)
    found = (one for one in gc.get_objects() if issubclass(type(one), torch.Tensor))
    storages: dict[int, int] = {one.untyped_storage().data_ptr(): one.untyped_storage().nbytes() for one in found}
    return sum(storages.values()) / 1e9


def taken_gb() -> float:
    """Return the GB of the GPU that are not free, of any process; on a processor as `held_gb`."""
    if not torch.cuda.is_available():
        return held_gb()
    free, whole = torch.cuda.mem_get_info()
    return float((whole - free) / 1e9)


def peak_gb() -> float | None:
    """Return the most GB that torch has reserved on the GPU since `forget_peak`; None on a processor."""
    return float(torch.cuda.max_memory_reserved() / 1e9) if torch.cuda.is_available() else None


def forget_peak() -> None:
    """Free what nothing uses, and measure the peak from here on."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
