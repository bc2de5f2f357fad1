"""The arithmetic of a training's memory, beside what autograd keeps on a processor, and the micro-batches of it."""

from dataclasses import replace

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from trainer.finetune.memory import (
    REFERENCE_FACTOR,
    ModelShape,
    Placement,
    activation_bytes,
    largest_fitting,
    layer_bytes,
    model_shape,
    training_memory,
)

SIZES = {
    "hidden_size": 128,
    "intermediate_size": 352,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 40,
    "max_position_embeddings": 64,
}
ROWS, TOKENS = 2, 33
LLAMA_8B = ModelShape(8_030_261_248, 32, 4096, 4096, 14336, 128_256, tied=False, kv_width=1024)
SMOLLM2_135M = ModelShape(134_515_008, 30, 576, 576, 1536, 49_152, tied=True, kv_width=192)
GB = 1e9


def kept(layers: int, *, checkpointing: bool = False, model_type: str = "llama") -> tuple[float, ModelShape]:
    """Bytes per token that autograd keeps of a forward pass under bfloat16 autocast, weights and their copies apart."""
    config = AutoConfig.for_model(model_type, num_hidden_layers=layers, **SIZES)
    model = AutoModelForCausalLM.from_config(config).train()
    if checkpointing:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    numbers = [weight.numel() for weight in model.parameters()]
    found: dict[int, torch.Tensor] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.numel() not in numbers:
            found[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    ids = torch.randint(3, 40, (ROWS, TOKENS), generator=torch.Generator().manual_seed(1))
    with (
        torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
        torch.autocast("cpu", torch.bfloat16),
    ):
        model.model(input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=False)
    shape = model_shape(config, sum(numbers))
    assert shape is not None
    return sum(one.untyped_storage().nbytes() for one in found.values()) / (ROWS * TOKENS), shape


@pytest.mark.parametrize("model_type", ["llama", "qwen2", "mistral"])
def test_a_layer_keeps_what_the_arithmetic_says(model_type):
    few, shape = kept(1, model_type=model_type)
    more, _ = kept(3, model_type=model_type)
    assert (more - few) / 2 == pytest.approx(layer_bytes(shape), rel=0.05)


def test_with_checkpointing_a_layer_keeps_its_float32_input():
    few, shape = kept(1, checkpointing=True)
    more, shape_of_more = kept(3, checkpointing=True)
    assert (more - few) / 2 == pytest.approx(4 * shape.width, rel=0.05)
    assert activation_bytes(shape_of_more, Placement()) - activation_bytes(shape, Placement()) == 2 * 4 * shape.width


def test_eight_billion_parameters():
    whole = training_memory(LLAMA_8B, Placement(), 0)
    assert whole.state / GB == pytest.approx(8.03 * (16 + 2), abs=0.02)
    sharded = training_memory(LLAMA_8B, Placement(shards=8), 8192)
    assert sharded.state / GB == pytest.approx(16.06, abs=0.01)
    assert sharded.activations / GB == pytest.approx(8192 * (2 * 4096 * 32 + 2 * 253_952) / GB, rel=0.01)
    assert sharded.total / GB < 40
    adapters = training_memory(LLAMA_8B, Placement(adapters=True), 0)
    assert adapters.state / GB == pytest.approx(16.06, abs=0.01)


@pytest.mark.parametrize(
    ("placement", "memory", "share", "tokens", "size"),
    [
        (Placement(), 150e9, 16, 2000, 1),  # no example fits beside the state: one is tried
        (Placement(shards=8), 80e9, 2, 4096, 2),
        (Placement(adapters=True), 80e9, 16, 1400, 16),
        (Placement(adapters=True), 80e9, 16, 8192, 4),
        (Placement(adapters=True, gradient_checkpointing=False), 80e9, 16, 1400, 4),
        (Placement(offloaded=True), 80e9, 12, 8192, 6),
    ],
)
def test_as_many_examples_as_fit(placement, memory, share, tokens, size):
    assert largest_fitting(LLAMA_8B, placement, memory, share, tokens) == size


@pytest.mark.parametrize(
    "shape", [ModelShape(134_515_008, 30, 576, 576, 1536, 49_152, tied=True, kv_width=192), LLAMA_8B]
)
def test_a_pass_without_gradients_takes_a_fourth(shape):
    """It holds one layer's activations, and no residuals of the others."""
    assert REFERENCE_FACTOR * layer_bytes(shape) <= activation_bytes(shape, Placement())


def test_more_memory_never_gives_fewer():
    sizes = [largest_fitting(LLAMA_8B, Placement(adapters=True), memory * GB, 16, 4096) for memory in range(20, 160, 5)]
    assert sizes == sorted(sizes)
    assert sizes[0] == 1
    assert sizes[-1] == 16


def test_a_configuration_without_these_sizes_has_no_estimate():
    assert model_shape(AutoConfig.for_model("mamba", hidden_size=8, num_hidden_layers=1), 100) is None
    gpt2 = model_shape(AutoConfig.for_model("gpt2", n_embd=64, n_layer=2, n_head=4), 100)
    assert gpt2 is not None
    assert (gpt2.width, gpt2.inner_width, gpt2.heads_width) == (64, 256, 64)
    experts = AutoConfig.for_model("mixtral", num_experts_per_tok=2, **{**SIZES, "num_hidden_layers": 1})
    found = model_shape(experts, 100)
    assert found is not None
    assert found.inner_width == 2 * 352
    assert replace(found, tied=True).embeddings == found.embeddings / 2
