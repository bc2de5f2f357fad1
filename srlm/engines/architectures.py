"""Architectures that srlm's own decode loop supports, and checks of a checkpoint's config.json.

The loop caches keys and values of every token and passes positions and masks to the model. That is right for decoders
with full or sliding-window attention; it is wrong for state-space models, ALiBi and encoders. An unsupported model
would silently give wrong text, so this is an allowlist. To add an architecture, add it to
tests/srlm/engines/test_shared_prefix.py, which compares its answers with those of transformers, and here.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from srlm.errors import ModelError

_NAMES = """
    afmoe apertus arcee biogpt bitnet codegen cohere cohere2 cohere2_moe ctrl cwm deepseek_v2 deepseek_v3 diffllama
    ernie4_5 ernie4_5_moe exaone4 exaone_moe flex_olmo gemma gemma2 gemma3 gemma3_text glm glm4 glm4_moe gpt-sw3
    gpt2 gpt_bigcode gpt_neox gpt_neox_japanese gpt_oss granite granitemoe granitemoeshared hunyuan_v1_dense
    hyperclovax internlm3 jais2 jetmoe llama minimax_m2 ministral ministral3 mistral mixtral nanochat nemotron olmo
    olmo2 olmo3 olmoe opt persimmon phi phi3 phimoe qwen2 qwen2_moe qwen3 qwen3_moe seed_oss smollm3 stablelm
    starcoder2 vaultgemma xglm
"""
KNOWN = frozenset(_NAMES.split())
"""Values of model_type whose greedy answers equal those of transformers."""

CONTEXTS = ("max_position_embeddings", "n_positions")
"""Names of the context length in config.json."""

UNLIMITED = 1 << 30
"""The context length of an architecture that has none, or that transformers does not know."""

LAYERS = frozenset({"full_attention", "sliding_attention"})

ENCODERS = re.compile(
    r"bert|roberta|electra|deberta|bart|t5|pegasus|marian|whisper|prophetnet|blenderbot|^xlm$|rembert|ernie$"
)
"""Values of model_type that are not causal language models."""

USE_VLLM = "Use vLLM for it: engine=vllm, or vllm:PATH."


def text_config(config: dict[str, Any]) -> dict[str, Any]:
    """Return the language model's part of a configuration."""
    inner = config.get("text_config")
    return inner if isinstance(inner, dict) else config


def context_length(config: dict[str, Any]) -> int:
    """Return the context length of a model in tokens; that of its architecture if config.json does not have it.

    Raises:
        ModelError: the value is no positive number.
    """
    given = _given_context(config)
    return given if given is not None else _usual_context(config) or UNLIMITED


def _given_context(config: dict[str, Any]) -> int | None:
    return next((found for name in CONTEXTS if (found := _count(config, name)) is not None), None)


def _usual_context(config: dict[str, Any]) -> int | None:
    """Return the context length with which transformers fills up a config.json."""
    from transformers import CONFIG_MAPPING

    if not is_known(config):
        return None
    filled: Any = CONFIG_MAPPING[config["model_type"]].from_dict(config).get_text_config()
    found = next((value for name in CONTEXTS if (value := getattr(filled, name, None)) is not None), None)
    return int(found) if isinstance(found, int | float) and found > 0 else None


def vocabulary_size(config: dict[str, Any]) -> int | None:
    """Return the number of tokens with an embedding; None if config.json does not have it.

    Raises:
        ModelError: the value is no positive number.
    """
    return _count(config, "vocab_size")


def _count(config: dict[str, Any], name: str) -> int | None:
    value = text_config(config).get(name, config.get(name))
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1 << 62:
        raise ModelError(f"{name} is {value!r} in the model's config.json, and must be a number above 0.")
    return int(value)


def require_architecture(config: dict[str, Any], folder: Path) -> None:
    """Refuse an architecture that srlm's own decode loop does not support, before anything is loaded.

    Raises:
        ModelError: the message names an alternative.
    """
    require_layers(config, f"The model {folder}")
    kinds = [part.get("model_type") for part in (config, text_config(config))]
    if not all(isinstance(kind, str) and kind in KNOWN for kind in kinds) or config.get("alibi"):
        raise ModelError(f"{folder}: {unknown_architecture(config)}")


def require_settings(config: dict[str, Any], folder: Path) -> None:
    """Refuse settings that make transformers load code from the Hub or weights under other names.

    Raises:
        ModelError: the message names the line to remove.
    """
    for part in (config, text_config(config)):
        for name, value in part.items():
            if name.endswith("attn_implementation") and isinstance(value, str) and ("/" in value or ":" in value):
                raise ModelError(
                    f"{folder / 'config.json'} asks for attention by {value!r}, which is code from the Hub. srlm runs "
                    f"no code of a checkpoint: remove the line with {name}."
                )
        if part.get("transformers_weights"):
            raise ModelError(
                f"{folder / 'config.json'} names its file of weights (transformers_weights): name the file "
                "model.safetensors, and remove the line."
            )
    _given_context(config)
    vocabulary_size(config)


def require_layers(config: dict[str, Any], model: str = "A model") -> None:
    """Refuse layers whose state is more than keys and values.

    Raises:
        ModelError: the model has such layers.
    """
    kinds = text_config(config).get("layer_types") or []
    others = {str(kind) for kind in kinds} - LAYERS if isinstance(kinds, list) else {str(kinds)}
    if others:
        raise ModelError(
            f"{model} with layers of the kind {', '.join(sorted(others))} is not supported by srlm's own decode loop. "
            f"{USE_VLLM}"
        )


def unknown_architecture(config: Mapping[str, Any]) -> str:
    """Return the message for an architecture that is not on the list."""
    import transformers

    kind = config.get("model_type")
    if not isinstance(kind, str):
        return "its config.json has no model_type, so its architecture is unknown. Take that of the original model."
    if config.get("is_encoder_decoder") or ENCODERS.search(kind):
        return (
            f"the architecture {kind} is not a causal language model: it encodes a text, or transforms one into "
            "another. Use a decoder, such as llama, qwen3 or gemma3."
        )
    if is_known(config):
        return (
            f"srlm's own decode loop does not support the architecture {kind}. It supports decoders with full or "
            f"sliding-window attention, such as llama, qwen3 and gemma3. vLLM may run it. {USE_VLLM}"
        )
    if config.get("auto_map"):
        return (
            f"the architecture {kind} is defined by code of the checkpoint (auto_map in its config.json), and srlm "
            "never runs code of a checkpoint. Serve it yourself and use its server: openai:NAME@http://HOST:PORT/v1"
        )
    return (
        f"transformers {transformers.__version__}, which is installed here, does not know the architecture {kind}. It "
        f"may be newer: pip install --upgrade transformers. Or vLLM supports it. {USE_VLLM}"
    )


def is_known(config: Mapping[str, Any]) -> bool:
    """Return whether the installed transformers has the architecture of a config.json."""
    from transformers import CONFIG_MAPPING

    kind = config.get("model_type")
    return isinstance(kind, str) and kind in CONFIG_MAPPING
