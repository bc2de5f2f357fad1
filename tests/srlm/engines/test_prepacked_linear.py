"""Weights in oneDNN's layout: equal logits up to the rounding of bfloat16, on CPUs that compute in it."""

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
from torch import nn

from helpers.tiny_models import load, save
from srlm.engines.prepacked_linear import PackedLinear, pack

fast = pytest.mark.skipif(
    not torch.cpu._is_avx512_bf16_supported(), reason="this processor does not compute in bfloat16"
)
ROUNDING = 2.0**-8


def packed(model: Any) -> list[str]:
    return [name for name, module in model.named_modules() if isinstance(module, PackedLinear)]


@fast
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(1, 48), (7, 48), (300, 48), (2, 5, 48)])
def test_a_layer_gives_the_same_product(shape: tuple[int, ...], bias: bool) -> None:
    torch.manual_seed(0)
    linear = nn.Linear(48, 80, bias=bias).bfloat16()
    states = torch.randn(shape).bfloat16()
    with torch.inference_mode():
        expected = nn.functional.linear(states.float(), linear.weight.float(), linear.bias.float() if bias else None)
        product = PackedLinear(linear, 64)(states)
    assert product.dtype == torch.bfloat16
    assert product.shape == expected.shape
    assert torch.allclose(product.float(), expected, rtol=2 * ROUNDING, atol=ROUNDING / 4)


@fast
@pytest.mark.parametrize("tied", [True, False])
def test_a_packed_models_logits_are_the_unpacked_ones(tmp_path: Path, tied: bool) -> None:
    """As close to float32's as the unpacked model's. Qwen2 has biases, and may tie its output to its embedding."""
    folder = save(tmp_path, "qwen2", tie_word_embeddings=tied)
    ids = torch.randint(3, 40, (6, 20), generator=torch.Generator().manual_seed(1))
    exact, plain, model = load(folder), load(folder, torch.bfloat16), load(folder, torch.bfloat16)
    embedding = model.get_input_embeddings().weight.clone()
    pack(model, 64)
    assert len(packed(model)) == 2 * 7 + 1
    mask = torch.zeros(6, 1, 20, 20).masked_fill_(torch.ones(20, 20).triu(1).bool(), torch.finfo(torch.bfloat16).min)
    with torch.inference_mode():
        logits = [one(ids, attention_mask=mask.to(one.dtype)).logits.float() for one in (exact, plain, model)]
    size = logits[0].abs().max()
    error = (logits[1] - logits[0]).abs().max() / size
    assert 0 < error < 0.1
    assert (logits[2] - logits[0]).abs().max() / size < 2 * error + ROUNDING
    assert torch.equal(model.get_input_embeddings().weight, embedding)


def test_float32_is_left_as_it_is(tmp_path: Path) -> None:
    model = load(save(tmp_path, "llama"))
    pack(model, 64)
    assert packed(model) == []
