"""Which architectures srlm's own decode loop computes rightly, and what a config.json says of one.

The loop keeps keys and values of every token, and positions and masks are given to the model from outside. That holds
for decoders with full or sliding attention; it does not for state spaces, positions inside of the attention (ALiBi), or
encoders. What is not known to be right would give wrong text without a word, so this is a list of those allowed. To add
one, put it into tests/srlm/engines/test_attention.py, which compares its answers with transformers' own, and here.
"""

import json
from pathlib import Path
from typing import Any

from srlm.errors import ModelError

KNOWN = frozenset({"llama"})
"""Values of model_type."""

LAYERS = frozenset({"full_attention", "sliding_attention"})

VLLM = "Use vLLM for it: engine=vllm, or vllm:PATH."


def read_config(folder: Path) -> dict[str, Any]:
    """A checkpoint's config.json.

    Raises:
        ModelError: it is not there, or is none.
    """
    file = folder / "config.json"
    try:
        text = file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ModelError(f"{folder} is not a checkpoint: it has no config.json.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"{file} cannot be read: {getattr(error, 'strerror', None) or 'it is no text'}.") from None
    require_no_pointer(file)
    try:
        config = json.loads(text)
    except json.JSONDecodeError as error:
        raise ModelError(
            f"{file}, line {error.lineno}: not JSON ({error.msg}, column {error.colno}). Copy the file again."
        ) from None
    except (RecursionError, ValueError):  # a number of more digits than Python reads
        raise ModelError(f"{file} is no configuration of a model: it is nested too deeply, or too long.") from None
    if not isinstance(config, dict):
        raise ModelError(f"{file} is no configuration of a model: it must be an object, not a {type(config).__name__}.")
    return config


def require_no_pointer(file: Path) -> None:
    """Refuse a file that git-lfs left in place of a large one.

    Raises:
        ModelError: it is such a pointer.
    """
    with file.open("rb") as stream:
        if stream.read(24) == b"version https://git-lfs.":
            raise ModelError(
                f"{file} is not the file itself but a pointer of git-lfs, which stands for it. In the folder where the "
                "repository was cloned, run: git lfs pull"
            )


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
    require_layers(config)
    kinds = [text_config(config).get("model_type"), config.get("model_type")]
    if not any(kind in KNOWN for kind in kinds if isinstance(kind, str)):
        raise ModelError(f"{folder}: {unknown(config)}")


def require_layers(config: dict[str, Any]) -> None:
    """Refuse layers that keep more than keys and values.

    Raises:
        ModelError: there are some.
    """
    kinds = text_config(config).get("layer_types") or []
    others = {str(kind) for kind in kinds} - LAYERS if isinstance(kinds, list) else {str(kinds)}
    if others:
        raise ModelError(
            f"A model with layers of the kind {', '.join(sorted(others))} is not supported by srlm's own decode loop. "
            f"{VLLM}"
        )


def unknown(config: dict[str, Any]) -> str:
    """Why an architecture that is not on the list cannot be used."""
    import transformers
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

    kind = config.get("model_type")
    if not isinstance(kind, str):
        return "its config.json names no model_type, so nobody knows which architecture it has."
    if kind in CONFIG_MAPPING_NAMES:
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
