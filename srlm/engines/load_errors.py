"""Translate the errors of libraries that cannot read a checkpoint into one error of srlm.

Their readers raise exceptions of any class. The message contains the library's own, after the likely cause where it is
known.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from srlm.checkpoint_files import read_config, weight_count
from srlm.engines.architectures import USE_VLLM, is_known, unknown_architecture
from srlm.errors import EngineFailed, ModelError, SrlmError

if TYPE_CHECKING:
    import torch


@contextmanager
def translate_errors(folder: Path, what: Literal["config", "tokenizer", "model"]) -> Iterator[None]:
    """Translate every exception inside of the block, except those that end the process.

    Raises:
        ModelError: with the library's reason.
    """
    try:
        with _quiet():
            yield
    except (SrlmError, MemoryError):
        raise
    except Exception as error:
        raise ModelError(_message(folder, what, reason(error))) from None


@contextmanager
def require_memory(folder: Path, dtype: "torch.dtype", device: str) -> Iterator[None]:
    """Translate an out-of-memory error while weights are loaded.

    Raises:
        EngineFailed: with the size of the weights.
    """
    from srlm.engines.batch_size import is_out_of_memory

    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise EngineFailed(
            f"{no_memory(folder, dtype, device)} Use a smaller model, dtype=bfloat16, or engine=vllm, which splits a "
            "model over several GPUs (vllm.tensor_parallel_size)."
        ) from None


def no_memory(folder: Path, dtype: "torch.dtype", device: str) -> str:
    """Return the sentence that a checkpoint's weights do not fit into the memory of a device."""
    size = weight_count(folder) * dtype.itemsize
    return (
        f"The weights of {folder} take {size / 1e9:.1f} GB in {str(dtype).removeprefix('torch.')} and do not fit into "
        f"the memory of the device {device}, or into what other programs leave of it."
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence transformers' logging: its reports are part of the error message."""
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)


def reason(error: BaseException) -> str:
    """Return an error's message in one line of at most 300 characters."""
    said = " ".join(str(error).split()).rstrip(". ")
    said = said if len(said) <= 300 else f"{said[:300].rpartition(' ')[0]} ..."
    if " " in said and not isinstance(error, KeyError):
        return said
    return f"{type(error).__name__} {said}".strip()


def _message(folder: Path, what: str, why: str) -> str:
    config: Mapping[str, Any] = {}
    with suppress(ModelError):
        config = read_config(folder)
    if not is_known(config):
        return f"{folder}: {unknown_architecture(config)}"
    if "custom code" in why or "trust_remote_code" in why:
        return (
            f"{folder} has code of its own for its {what}, and srlm never runs code of a checkpoint. Serve it "
            "yourself and use its server: openai:NAME@http://HOST:PORT/v1"
        )
    if what == "config":
        return f"{folder / 'config.json'} cannot be used: {why}. Take that of the model it was made from."
    if what == "tokenizer":
        return (
            f"The tokenizer in {folder} cannot be read: {why}. Copy its files again; if a newer version wrote them: "
            "pip install --upgrade tokenizers transformers"
        )
    if quantised := config.get("quantization_config"):
        method = quantised.get("quant_method", "a method") if isinstance(quantised, dict) else "a method"
        return (
            f"The checkpoint {folder} is quantised by {method}, and transformers cannot load it here: {why}. Install "
            f"what it requires, take the model before quantisation, or use vLLM. {USE_VLLM}"
        )
    return (
        f"The checkpoint {folder} cannot be loaded: {why}. It must be a causal language model with weights in "
        "safetensors."
    )
