"""Load the tokenizer and the weights of a checkpoint, and refuse those that do not belong together."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from srlm.checkpoint_files import (
    read_config,
    read_object,
    require_checkpoint,
    require_no_pointer,
    require_weights,
)
from srlm.checkpoint_messages import TOKENIZERS
from srlm.engines.architectures import is_known, require_settings, vocabulary_size
from srlm.engines.load_errors import require_memory, translate_errors
from srlm.engines.template_trial import require_template
from srlm.engines.weight_checks import Loading, require_finite, require_whole
from srlm.errors import ModelError
from srlm.optional_deps import require

if TYPE_CHECKING:
    import torch


def load_tokenizer(folder: Path) -> Any:
    """Load the tokenizer of a checkpoint, with checks of its chat template and its vocabulary.

    Raises:
        ModelError: it cannot be read, has no usable chat template, or has tokens without an embedding.
    """
    from transformers import AutoConfig, AutoTokenizer

    config = read_config(folder)
    require_checkpoint(folder)
    require_weights(folder)  # reads the headers only: a missing shard is reported before any work
    require_settings(config, folder)
    if is_known(config):
        with translate_errors(folder, "config"):
            AutoConfig.from_pretrained(folder, trust_remote_code=False)
    for name in ("generation_config.json", "tokenizer_config.json", "special_tokens_map.json"):
        if (folder / name).exists():
            read_object(folder / name)  # transformers ignores some that it cannot read
    for file in sorted({file for pattern in TOKENIZERS for file in folder.glob(pattern)}):
        require_no_pointer(file)
    with translate_errors(folder, "tokenizer"):
        tokenizer: Any = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        tokenizer.decode(tokenizer.encode("Hello", add_special_tokens=False))  # these read some settings first
    if not tokenizer.chat_template:
        raise ModelError(
            f"The checkpoint {folder} has no chat template, so the format of its turns is unknown. "
            "Use the instruction-tuned version of the model, or add a chat_template.jinja to the folder."
        )
    require_template(tokenizer, folder)
    _require_rows(tokenizer, vocabulary_size(config), folder)
    return tokenizer


def _require_rows(tokenizer: Any, rows: int | None, folder: Path) -> None:
    """Refuse a tokenizer with tokens that have no embedding, unless they never occur.

    Special tokens that the template does not write never occur: `srlm.engines.chat_template` breaks them up in texts.
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
    """Load the weights of a checkpoint, from safetensors only.

    Args:
        folder: the checkpoint.
        dtype: of the weights.
        device: of the weights.
        attention: name of the attention implementation in transformers.
        settings: override those of the language model in the checkpoint's configuration.

    Raises:
        ModelError: the folder has no causal language model that transformers supports, or weights are missing, left
            over, or not finite.
        EngineFailed: the weights do not fit into the memory of the device.
    """
    from transformers import AutoConfig, AutoModelForCausalLM

    require_checkpoint(folder)
    require_settings(read_config(folder), folder)
    options: dict[str, Any] = {"attn_implementation": attention}
    if settings:
        with translate_errors(folder, "config"):
            options["config"] = AutoConfig.from_pretrained(folder, trust_remote_code=False)
        options["config"].get_text_config().update(dict(settings))
    return load_weights(AutoModelForCausalLM, folder, dtype, device, require_whole, **options)


def load_weights(
    kind: Any,
    folder: Path,
    dtype: "torch.dtype",
    device: str,
    check: Callable[[Path, Loading], None],
    **settings: Any,
) -> Any:
    """Load a model of any class, from safetensors only and without code of the checkpoint.

    Args:
        kind: the class of transformers, such as AutoModelForCausalLM.
        folder: the checkpoint.
        dtype: of the weights.
        device: of the weights.
        check: refuses what is missing, left over or of another shape.
        settings: further arguments of `from_pretrained`.

    Raises:
        ModelError: weights cannot be read, are refused by `check`, or are not finite.
        EngineFailed: they do not fit into the memory of the device.
    """
    require_weights(folder)
    if device != "cpu":
        require("accelerate", "Loading weights to a GPU", "local")
        # Each tensor is copied from the file to the device, so the main memory never holds the whole model.
        settings = {**settings, "device_map": device}
    with translate_errors(folder, "model"), require_memory(folder, dtype, device):
        loaded: Any = kind.from_pretrained(
            folder,
            dtype=dtype,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # refused by the check, with their names
            **settings,
        )
        model, loading = loaded
        check(folder, loading)
        placed: Any = model.to(device).eval()  # buffers too: a table of positions may still be elsewhere
        require_finite(folder, placed)
    return placed


def eos_tokens(declared: Any, tokenizer: Any) -> frozenset[int]:
    """Return the tokens that end an answer: those that the model's configuration declares, and the tokenizer's.

    Args:
        declared: `eos_token_id`, of generation_config.json or else of config.json: a number, a list of them or None.
        tokenizer: the model's.

    Raises:
        ModelError: eos_token_id is malformed.
    """
    listed = declared if isinstance(declared, list | tuple) else [declared]
    found = [token for token in [*listed, tokenizer.eos_token_id] if token is not None]
    if not all(isinstance(token, int) and not isinstance(token, bool) for token in found):
        raise ModelError(f"eos_token_id is {declared!r} in the model's configuration, and must be a token's number.")
    return frozenset(found)
