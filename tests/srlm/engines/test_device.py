"""The dtype of a device: bfloat16 only where it is computed natively."""

from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch")
from srlm.engines.device import pick_dtype


@pytest.mark.parametrize(
    ("generation", "dtype"),
    [(7, torch.float32), (8, torch.bfloat16), (9, torch.bfloat16)],
    ids=["V100", "A100", "H200"],
)
def test_emulated_bfloat16_is_not_chosen(monkeypatch: pytest.MonkeyPatch, generation: int, dtype: torch.dtype) -> None:
    """Older GPUs emulate it, slowly; vLLM refuses it there."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: SimpleNamespace(major=generation, minor=0))
    monkeypatch.setattr(torch.cuda, "_check_bf16_tensor_supported", lambda _: True)
    assert pick_dtype("auto", "cuda") is dtype
    assert pick_dtype("float16", "cuda") is torch.float16
