"""Context lengths: those of config.json, nested or not, and those of an architecture whose config.json has none."""

from typing import Any

import pytest

pytest.importorskip("transformers")
from srlm.engines.architectures import UNLIMITED, context_length

# As the Hub has them, shortened: transformers fills up what a config.json does not say.
GEMMA_3 = {
    "model_type": "gemma3",
    "text_config": {
        "hidden_size": 2560,
        "model_type": "gemma3_text",
        "num_hidden_layers": 34,
        "rope_scaling": {"factor": 8.0, "rope_type": "linear"},
        "sliding_window": 1024,
    },
    "vision_config": {"hidden_size": 1152, "image_size": 896, "model_type": "siglip_vision_model", "patch_size": 14},
}
MISTRAL_SMALL = {
    "model_type": "mistral3",
    "text_config": {"model_type": "mistral", "hidden_size": 5120, "max_position_embeddings": 131072},
    "vision_config": {"model_type": "pixtral", "image_size": 1540, "max_position_embeddings": 4096},
}
QWEN_VL = {"model_type": "qwen2_5_vl", "hidden_size": 3584, "max_position_embeddings": 128000}
LLAMA_4 = {
    "model_type": "llama4",
    "text_config": {"model_type": "llama4_text", "max_position_embeddings": 10485760, "num_hidden_layers": 48},
}


@pytest.mark.parametrize(
    ("config", "tokens"),
    [
        ({"model_type": "llama", "max_position_embeddings": 8192}, 8192),
        ({"model_type": "gpt2", "n_positions": 512}, 512),
        ({"model_type": "gpt2"}, 1024),
        (GEMMA_3, 131072),
        (MISTRAL_SMALL, 131072),
        (QWEN_VL, 128000),
        (LLAMA_4, 10485760),
        ({"model_type": "gemma3_text", "hidden_size": 640}, 131072),
        ({"model_type": "mamba"}, UNLIMITED),
        ({"model_type": "newer_than_transformers"}, UNLIMITED),
    ],
)
def test_the_context_is_found_where_it_is(config: dict[str, Any], tokens: int) -> None:
    assert context_length(config) == tokens
