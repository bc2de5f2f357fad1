"""A checkpoint's parts: tokenizer, weights, device, number format, and the fingerprint by which the ledger knows it."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from srlm.checkpoint_files import (
    INDEX,
    TOKENIZERS,
    WEIGHTS,
    read_config,
    read_object,
    require_checkpoint,
    require_no_pointer,
    require_weights,
    weight_files,
)
from srlm.engines.architectures import knows, require_settings, rows_of
from srlm.engines.load_errors import reading
from srlm.engines.template_trial import require_template
from srlm.engines.weight_checks import require_finite, require_whole
from srlm.errors import EngineError, ModelError

if TYPE_CHECKING:
    import torch

__all__ = ["eos_tokens", "fingerprint", "load_model", "load_tokenizer", "pick_device", "pick_dtype"]

DETERMINING = (
    "*.safetensors",
    "config.json",
    "generation_config.json",
    "tokenizer*.json",
    "*.jinja",
    "*.model",
    "vocab*",
)
"""Files of every checkpoint that its answers hang on."""


def load_tokenizer(folder: Path) -> Any:
    """The tokenizer of a checkpoint, which must have a chat template that serves, and belong to the weights.

    Raises:
        ModelError: it cannot be read, has no such template, or gives tokens that the weights do not have.
    """
    from transformers import AutoConfig, AutoTokenizer

    config = read_config(folder)
    require_checkpoint(folder)
    require_weights(folder)  # their heads alone: a shard that is missing is said before any work
    require_settings(config, folder)
    if knows(config):
        with reading(folder, "config"):
            AutoConfig.from_pretrained(folder, trust_remote_code=False)
    for name in ("generation_config.json", "tokenizer_config.json", "special_tokens_map.json"):
        if (folder / name).exists():
            read_object(folder / name)  # transformers passes over some that it cannot read
    for file in sorted({file for pattern in TOKENIZERS for file in folder.glob(pattern)}):
        require_no_pointer(file)
    with reading(folder, "tokenizer"):
        tokenizer: Any = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        tokenizer.decode(tokenizer.encode("Hello", add_special_tokens=False))  # some settings are first read by these
    if not tokenizer.chat_template:
        raise ModelError(
            f"The checkpoint {folder} has no chat template, so srlm cannot know how its turns are written. "
            "Use the instruction-tuned version of the model, or add a chat_template.jinja to the folder."
        )
    require_template(tokenizer, folder)
    _require_rows(tokenizer, rows_of(config), folder)
    return tokenizer


def _require_rows(tokenizer: Any, rows: int | None, folder: Path) -> None:
    """Refuse a tokenizer with tokens that have no embedding, unless none can ever be met.

    Special tokens that the template does not write are such: `srlm.engines.chat_template` breaks them up in every text.
    """
    beyond = {token: number for token, number in tokenizer.get_vocab().items() if number >= (rows or 1 << 62)}
    if not beyond:
        return
    special = {token.content for token in tokenizer.added_tokens_decoder.values() if token.special}
    template = str(tokenizer.get_chat_template())
    met = sorted(token for token in beyond if token not in special or token in template)
    ends = [name for name in ("bos_token", "eos_token") if getattr(tokenizer, name, None) in beyond]
    if met or ends:
        shown = ", ".join(repr(token) for token in (met or [getattr(tokenizer, ends[0])])[:3])
        raise ModelError(
            f"The tokenizer in {folder} has {max(beyond.values()) + 1} tokens, and the weights are for {rows}: "
            f"{shown} would have no embedding. Take the tokenizer that belongs to the weights, or resize their "
            "embeddings and train them."
        )


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
        ModelError: the folder holds no causal language model that transformers knows, or weights are missing, left
            over, or not finite.
    """
    from transformers import AutoModelForCausalLM

    require_checkpoint(folder)
    require_settings(read_config(folder), folder)
    require_weights(folder)
    with reading(folder, "model"):
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            folder,
            dtype=dtype,
            use_safetensors=True,
            trust_remote_code=False,
            attn_implementation=attention,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # they are refused below, by name
            **settings,
        )
        model, loading = loaded
        require_whole(folder, loading)
        placed: Any = model.to(device).eval()
    require_finite(folder, placed)
    return placed


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
    """SHA-256 over what determines a checkpoint's answers: weights, configuration, tokenizer, template.

    Raises:
        ModelError: weights are missing, or lie where they may not.
    """
    digest = hashlib.sha256()
    usual = sorted({file for pattern in DETERMINING for file in folder.glob(pattern)})
    for file in [*usual, *(file for file in _unusual(folder) if file not in usual)]:
        digest.update(file.relative_to(folder).as_posix().encode())
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()[:16]


def _unusual(folder: Path) -> list[Path]:
    """What is read too, but only in folders of some kinds: so that the digests of others stay what they were."""
    named = weight_files(folder)
    plain = [folder / WEIGHTS] if (folder / WEIGHTS).is_file() else sorted(folder.glob("model-*-of-*.safetensors"))
    found = [] if named == plain else [folder / INDEX, *named]
    found += sorted(folder.glob("additional_chat_templates/*.jinja"))
    if not (folder / "tokenizer.json").is_file():
        found += sorted({*folder.glob("merges.txt"), *folder.glob("tokenizer.model*"), *folder.glob("tekken.json")})
    settings = folder / "tokenizer_config.json"
    if not settings.is_file() or "added_tokens_decoder" not in read_object(settings):
        found += [folder / name for name in ("special_tokens_map.json", "added_tokens.json")]
    return [file for file in found if file.is_file()]


def eos_tokens(model: Any, tokenizer: Any) -> frozenset[int]:
    """The tokens that end an answer: what the model declares, and what the tokenizer does.

    Raises:
        ModelError: what it declares are no tokens.
    """
    declared = model.generation_config.eos_token_id
    listed = declared if isinstance(declared, list | tuple) else [declared]
    found = [token for token in [*listed, tokenizer.eos_token_id] if token is not None]
    if not all(isinstance(token, int) and not isinstance(token, bool) for token in found):
        raise ModelError(f"eos_token_id is {declared!r} in the model's configuration, and must be a token's number.")
    return frozenset(found)
