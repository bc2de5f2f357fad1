"""Batch size: an estimate from the device's memory, and half of it after an out-of-memory error.

The estimate uses the total memory, not the free one: the same run on the same machine has the same batches.
"""

import gc
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from srlm.checkpoint_files import weight_count
from srlm.errors import EngineFailed

CPU_MEMORY_SHARE = 0.25
"""Share of the main memory for keys and values: other programs use it too."""

GPU_MEMORY_SHARE = 0.5
"""Share of the accelerator memory that the weights leave."""


def checkpoint_capacity(folder: Path, dtype: torch.dtype, device: torch.device) -> int:
    """Estimate `token_capacity` of a checkpoint before its weights are loaded.

    Raises:
        ModelError: a file of the weights is missing.
    """
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    weights = 0 if device.type == "cpu" else weight_count(folder) * dtype.itemsize
    return token_capacity(config.get_text_config(), dtype, device, weights)


def token_capacity(config: Any, dtype: torch.dtype, device: torch.device, weights: int) -> int:
    """Estimate how many tokens' keys and values fit into the memory of a device.

    Args:
        config: of the language model, from transformers.
        dtype: of keys and values.
        device: an accelerator or a processor.
        weights: bytes of the model, which an accelerator's memory holds too.
    """
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    bytes_of_token = 2 * config.num_hidden_layers * heads * size * dtype.itemsize
    return max(1, int(_memory(device, weights) / bytes_of_token))


def _memory(device: torch.device, weights: int) -> float:
    if device.type == "cuda":
        whole = int(torch.cuda.get_device_properties(device).total_memory)
    elif device.type == "mps":
        whole = int(torch.mps.recommended_max_memory())
    else:
        return CPU_MEMORY_SHARE * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return float(GPU_MEMORY_SHARE * max(0, whole - weights))


def retry_with_smaller_batch(attempt: Callable[[int], None], rows: int, name: str) -> int:
    """Call `attempt` with a number of rows; halve the number after each out-of-memory error.

    Returns:
        The number of rows that fitted.

    Raises:
        EngineFailed: a single row does not fit.
    """
    while True:
        try:
            attempt(rows)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            if rows == 1:
                raise EngineFailed(
                    f"{name} does not fit into the memory with a single prompt. Use a smaller model, a smaller "
                    "max_tokens, dtype=bfloat16, or shorter instructions."
                ) from None
        else:
            return rows
        rows //= 2
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an exception means that the memory of any device is exhausted."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    words = str(error).lower()
    return any(sign in words for sign in ("allocate memory", "out of memory", "alloc_failed"))  # the last is cuBLAS's
