"""Messages for paths that are no complete checkpoint: adapters, GGUF files, training folders, pickled weights."""

import re
from pathlib import Path
from shlex import quote

WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")
TOKENIZERS = ("tokenizer*.json", "tokenizer.model", "spiece.model", "vocab*")


def no_folder(path: Path) -> str:
    """Describe a path that is no folder."""
    if path.is_symlink() and not path.exists():
        return f"{path} is a link to {path.readlink()}, which does not exist."
    if path.suffix == ".gguf":
        return _gguf(path)
    if (path.parent / "config.json").is_file():
        return f"{path} is a file of a checkpoint. Give its folder: {path.parent}"
    return f"{path} is a file, and a model is a folder with config.json, a tokenizer and weights in safetensors."


def no_checkpoint(folder: Path) -> str:
    """Describe a folder without config.json."""
    link = folder / "config.json"
    if link.is_symlink():
        return (
            f"{link} is a link to {link.readlink()}, which does not exist. Copy the checkpoint with its links resolved."
        )
    if found := sorted(folder.glob("*.gguf")):
        return _gguf(found[0])
    begun = f"{folder} is not a checkpoint: it has no config.json."
    steps = {int(match[1]): one for one in folder.glob("checkpoint-*") if (match := re.search(r"-(\d+)$", one.name))}
    if steps:
        return f"{begun} It has checkpoints of a training; give one of them, such as the last: {steps[max(steps)]}"
    inside = sorted(file.parent for pattern in ("*", "*/*") for file in folder.glob(f"{pattern}/config.json"))
    if inside:
        return f"{begun} It contains one: {inside[0]}" + (f", and {len(inside) - 1} more." if inside[1:] else "")
    if any(folder.glob("*.pth")):
        return f"{begun} Its weights are in the publisher's own format; use the version of the model for transformers."
    return f"{begun} It needs one, a tokenizer, and weights in safetensors."


def no_weights(folder: Path) -> str:
    """Describe a folder without weights in safetensors."""
    if found := sorted(folder.glob("*.gguf")):
        return _gguf(found[0])
    if links := [file for file in folder.glob("*.safetensors") if not file.exists()]:
        return f"{links[0]} is a link to {links[0].readlink()}, which does not exist."
    pickled = sorted(file for pattern in PICKLES for file in folder.glob(pattern))
    if pickled:
        code = (
            "from transformers import AutoModelForCausalLM as M, AutoTokenizer as T; "
            f"M.from_pretrained({str(folder)!r}).save_pretrained('converted'); "
            f"T.from_pretrained({str(folder)!r}).save_pretrained('converted')"
        )
        return (
            f"{folder} has its weights in {pickled[0].name}, a format that can contain code, and srlm loads only "
            f"safetensors. If you trust the file, convert it: python -c {quote(code)}"
        )
    return f"{folder} cannot be loaded: it has no weights, neither {WEIGHTS} nor {INDEX}."


def _gguf(file: Path) -> str:
    return (
        f"{file} is a GGUF file, made for llama.cpp. Give the folder of the safetensors checkpoint that it was made "
        f"from, or serve it: llama-server -m {quote(str(file))} --port 8080, and give "
        "openai:NAME@http://127.0.0.1:8080/v1"
    )


def adapter(folder: Path, base: object) -> str:
    """Describe a folder with a LoRA adapter of the model `base`."""
    words = next((folder for pattern in TOKENIZERS if any(folder.glob(pattern))), base)
    code = (
        "from peft import AutoPeftModelForCausalLM as M; from transformers import AutoTokenizer as T; "
        f"M.from_pretrained({str(folder)!r}).merge_and_unload().save_pretrained('merged'); "
        f"T.from_pretrained({str(words)!r}).save_pretrained('merged')"
    )
    return (
        f"{folder} is an adapter (such as LoRA) of the model {base!r}, not a complete model. Merge the two, and give "
        f"the folder merged: python -c {quote(code)}"
    )
