"""A checkpoint's parts: tokenizer, weights, device, number format, and the fingerprint by which the ledger knows it."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from srlm.engines.architectures import read_config
from srlm.errors import EngineError, ModelError

__all__ = ["read_config"]

if TYPE_CHECKING:
    import torch


def load_tokenizer(folder: Path) -> Any:
    """The tokenizer of a checkpoint, which must have a chat template.

    Raises:
        ModelError: it cannot be read, or has no chat template.
    """
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"The tokenizer in {folder} cannot be read ({type(error).__name__}).") from None
    if not tokenizer.chat_template:
        raise ModelError(
            f"The checkpoint {folder} has no chat template, so srlm cannot know how its turns are written. "
            "Use the instruction-tuned version of the model, or add a chat_template.jinja to the folder."
        )
    return tokenizer


def load_model(
    folder: Path,
    dtype: "torch.dtype",
    device: str,
    attention: str = "sdpa",
    settings: Mapping[str, float] = MappingProxyType({}),
) -> Any:
    """The weights of a checkpoint, safetensors only; `attention` is the name under which transformers finds one.

    `settings` take the place of those in the checkpoint's configuration.

    Raises:
        ModelError: the folder holds no causal language model that transformers knows.
    """
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        model: Any = AutoModelForCausalLM.from_pretrained(
            folder,
            dtype=dtype,
            use_safetensors=True,
            trust_remote_code=False,
            attn_implementation=attention,
            **settings,
        )
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise ModelError(
            f"The checkpoint {folder} cannot be loaded ({type(error).__name__}). It must be a causal language model "
            "with weights in safetensors."
        ) from None
    return model.to(device).eval()


def pick_device(device: str) -> str:
    """Choose the device: "auto" is CUDA, then MPS, then the processor."""
    import torch

    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not there.get(device.split(":", maxsplit=1)[0], True):
        raise EngineError(f"The device {device} is not there: torch does not find it. Use device=auto or device=cpu.")
    if device != "auto":
        return device
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def pick_dtype(dtype: str, device: str) -> "torch.dtype":
    """Choose the number format: "auto" is bfloat16 where the device computes in it, else float32."""
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


def fingerprint(folder: Path) -> str:
    """SHA-256 over what determines a checkpoint's answers: weights, configuration, tokenizer, template."""
    digest = hashlib.sha256()
    patterns = (
        "*.safetensors",
        "config.json",
        "generation_config.json",
        "tokenizer*.json",
        "*.jinja",
        "*.model",
        "vocab*",
    )
    for file in sorted({file for pattern in patterns for file in folder.glob(pattern)}):
        digest.update(file.name.encode())
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()[:16]


def eos_tokens(model: Any, tokenizer: Any) -> frozenset[int]:
    """The tokens that end an answer: what the model declares, and what the tokenizer does."""
    declared = model.generation_config.eos_token_id
    listed = declared if isinstance(declared, list) else [declared]
    return frozenset(int(token) for token in [*listed, tokenizer.eos_token_id] if token is not None)
