"""Choice of the device and the dtype of local models."""

from typing import TYPE_CHECKING

from srlm.errors import EngineError

if TYPE_CHECKING:
    import torch


def pick_device(device: str) -> str:
    """Choose the device: "auto" is CUDA, then MPS, then the CPU.

    Raises:
        EngineError: torch does not find the device.
    """
    import torch

    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not available.get(device.split(":", maxsplit=1)[0], True):
        raise EngineError(f"torch does not find the device {device}. Use device=auto or device=cpu.")
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
        torch.cuda.is_bf16_supported()
        if device.startswith("cuda")
        else device == "cpu" and torch.cpu._is_avx512_bf16_supported()
    )
    return torch.bfloat16 if fast else torch.float32
