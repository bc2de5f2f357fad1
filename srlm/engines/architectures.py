"""Which architectures srlm's own decode loop computes rightly, and what a config.json says of one.

The loop keeps keys and values of every token, and positions and masks are given to the model from outside. That holds
for decoders with full or sliding attention; it does not for state spaces, positions inside of the attention (ALiBi), or
encoders. What is not known to be right would give wrong text without a word, so this is a list of those allowed. To add
one, put it into tests/srlm/engines/test_shared_prefix.py, which compares its answers with transformers' own, and here.
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
"""Values of model_type whose greedy answers were compared with those of transformers, and equal them."""

LAYERS = frozenset({"full_attention", "sliding_attention"})

ENCODERS = re.compile(
    r"bert|roberta|electra|deberta|bart|t5|pegasus|marian|whisper|prophetnet|blenderbot|^xlm$|rembert|ernie$"
)
"""Values of model_type that no engine goes on with a text in."""

VLLM = "Use vLLM for it: engine=vllm, or vllm:PATH."


def text_config(config: dict[str, Any]) -> dict[str, Any]:
    """The part of it that is the language model's."""
    inner = config.get("text_config")
    return inner if isinstance(inner, dict) else config


def context_of(config: dict[str, Any]) -> int:
    """Tokens of prompt and answer that a model can hold.

    Raises:
        ModelError: it is said in a way that is no number.
    """
    for name in ("max_position_embeddings", "n_positions"):
        if (found := _count(config, name)) is not None:
            return found
    return 1 << 30


def rows_of(config: dict[str, Any]) -> int | None:
    """Tokens that a model has an embedding for; None where its config.json leaves it out.

    Raises:
        ModelError: it is said in a way that is no number.
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
    """Refuse what srlm's own decode loop does not compute, before anything is loaded.

    Raises:
        ModelError: with the way out.
    """
    require_layers(config, f"The model {folder}")
    kinds = [part.get("model_type") for part in (config, text_config(config))]
    if not all(isinstance(kind, str) and kind in KNOWN for kind in kinds) or config.get("alibi"):
        raise ModelError(f"{folder}: {unknown(config)}")


def require_settings(config: dict[str, Any], folder: Path) -> None:
    """Refuse what a config.json may ask of transformers beside a model: code of the Hub's, weights of other names.

    Raises:
        ModelError: with the line to remove.
    """
    for part in (config, text_config(config)):
        for name, value in part.items():
            if name.endswith("attn_implementation") and isinstance(value, str) and ("/" in value or ":" in value):
                raise ModelError(
                    f"{folder / 'config.json'} asks for attention by {value!r}, which is code from the Hub, and srlm "
                    f"runs none of a checkpoint's: remove the line with {name}."
                )
        if part.get("transformers_weights"):
            raise ModelError(
                f"{folder / 'config.json'} names its file of weights (transformers_weights): name the file "
                "model.safetensors, and remove the line."
            )
    context_of(config)
    rows_of(config)


def require_layers(config: dict[str, Any], model: str = "A model") -> None:
    """Refuse layers that keep more than keys and values.

    Raises:
        ModelError: there are some.
    """
    kinds = text_config(config).get("layer_types") or []
    others = {str(kind) for kind in kinds} - LAYERS if isinstance(kinds, list) else {str(kinds)}
    if others:
        raise ModelError(
            f"{model} with layers of the kind {', '.join(sorted(others))} is not supported by srlm's own decode loop. "
            f"{VLLM}"
        )


def unknown(config: Mapping[str, Any]) -> str:
    """Why an architecture that is not on the list cannot be used."""
    import transformers

    kind = config.get("model_type")
    if not isinstance(kind, str):
        return "its config.json names no model_type, so nobody knows which architecture it has."
    if config.get("is_encoder_decoder") or ENCODERS.search(kind):
        return (
            f"the architecture {kind} is not one that goes on with a text, as a language model of srlm must: it reads "
            "a whole one, or turns it into another. Use a decoder, such as llama, qwen3 or gemma3."
        )
    if knows(config):
        return (
            f"the architecture {kind} is not one that srlm's own decode loop is known to compute rightly: it takes "
            f"decoders with full or sliding attention, such as llama, qwen3 and gemma3. vLLM may run it. {VLLM}"
        )
    if config.get("auto_map"):
        return (
            f"the architecture {kind} is code of the checkpoint's own (auto_map in its config.json), and srlm never "
            "runs code of a checkpoint. Serve it yourself and use its server: openai:NAME@http://HOST:PORT/v1"
        )
    return (
        f"transformers {transformers.__version__}, which is installed here, does not know the architecture {kind}. It "
        f"may be newer: pip install --upgrade transformers. Or vLLM knows it. {VLLM}"
    )


def knows(config: Mapping[str, Any]) -> bool:
    """Whether the transformers that is installed has the architecture that a config.json names."""
    from transformers import CONFIG_MAPPING

    kind = config.get("model_type")
    return isinstance(kind, str) and kind in CONFIG_MAPPING
