"""How many rows are computed at once: what the device's memory should hold, and half as many when it did not.

The size of the memory counts, not what is free at the moment: the same run on the same machine has the same batches.
"""

import gc
import os
from collections.abc import Callable
from typing import Any

import torch

from srlm.errors import EngineFailed

PROCESSOR_SHARE = 0.25
"""Of a processor's memory for keys and values: other programs live there too."""

DEVICE_SHARE = 0.5
"""Of an accelerator's memory that the weights leave."""


def room_for_tokens(model: Any) -> int:
    """Tokens of prompt and answer whose keys and values should fit into the memory of the model's device."""
    config = model.config.get_text_config()
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    bytes_of_token = 2 * config.num_hidden_layers * heads * size * model.dtype.itemsize
    return max(1, int(_memory(model) / bytes_of_token))


def _memory(model: Any) -> float:
    device = model.device
    if device.type == "cuda":
        whole = int(torch.cuda.get_device_properties(device).total_memory)
    elif device.type == "mps":
        whole = int(torch.mps.recommended_max_memory())
    else:
        return PROCESSOR_SHARE * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    weights: int = sum(parameter.numel() * parameter.element_size() for parameter in model.parameters())
    return float(DEVICE_SHARE * max(0, whole - weights))


def halving(attempt: Callable[[int], None], rows: int, name: str) -> int:
    """Attempt with so many rows at once, and with half as many as often as the memory is too small.

    Returns:
        The number that fitted.

    Raises:
        EngineFailed: not even a single row fits.
    """
    while True:
        try:
            attempt(rows)
        except (RuntimeError, MemoryError) as error:
            if not _out_of_memory(error):
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


def _out_of_memory(error: Exception) -> bool:
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return "allocate memory" in str(error) or "out of memory" in str(error)
