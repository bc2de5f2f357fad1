"""Choice of the device, the dtype and the threads of local models."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from srlm.errors import EngineError

if TYPE_CHECKING:
    import torch

SMALL_WEIGHTS = 2_000_000
"""Weights of a model below which one thread is used."""


def pick_device(device: str) -> str:
    """Choose the device: "auto" is CUDA, then MPS, then the CPU.

    Raises:
        EngineError: torch does not find the device.
    """
    import torch

    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not available.get(device.split(":", maxsplit=1)[0], True):
        raise EngineError(f"torch does not find the device {device}. Use device=auto or device=cpu.")
    if device.startswith("cuda:") and int(device.removeprefix("cuda:")) >= torch.cuda.device_count():
        raise EngineError(f"torch finds {torch.cuda.device_count()} GPUs, which count from cuda:0, and not {device}.")
    if device != "auto":
        return device
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def pick_dtype(dtype: str, device: str) -> "torch.dtype":
    """Choose the dtype: "auto" is bfloat16 on devices with native support for it, else float32."""
    import torch

    if dtype != "auto":
        chosen: torch.dtype = getattr(torch, dtype)
        return chosen
    fast = (
        torch.cuda.is_bf16_supported(including_emulation=False)
        if device.startswith("cuda")
        else device == "cpu" and torch.cpu._is_avx512_bf16_supported()
    )
    return torch.bfloat16 if fast else torch.float32


def identity_of_device(device: str) -> str:
    """Return what a device adds to an engine's identity: nothing on a processor.

    On a GPU the last bits of the logits are others, so its answers and a processor's are kept apart in a ledger.
    """
    return ":cuda" if device.startswith("cuda") else ""


@contextmanager
def threads_for(model: Any) -> "Iterator[None]":
    """Let torch compute a small model on one thread of a processor, and restore the number afterwards.

    The matrices of such a model are so small that threads wait for each other more than they compute: two threads save
    a third of the time on idle cores, and take several times as long as one if another program uses a core.
    """
    import torch

    before = torch.get_num_threads()
    small = model.device.type == "cpu" and sum(weight.numel() for weight in model.parameters()) < SMALL_WEIGHTS
    torch.set_num_threads(1 if small else before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
