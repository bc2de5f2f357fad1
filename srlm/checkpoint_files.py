"""What stands in a checkpoint's folder, looked at before any library reads it.

A checkpoint is a config.json, a tokenizer, and weights in safetensors, which hold numbers and no code. What people have
beside that, such as adapters, GGUF files or folders of a training, is recognised and told by name.
"""

import json
import re
from pathlib import Path
from shlex import quote
from typing import Any

from srlm.errors import ModelError

WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")
TOKENIZERS = ("tokenizer*.json", "tokenizer.model", "spiece.model", "vocab*")


def read_config(folder: Path) -> dict[str, Any]:
    """A checkpoint's config.json.

    Raises:
        ModelError: it is not there, or is none.
    """
    return read_object(folder / "config.json")


def read_object(file: Path) -> dict[str, Any]:
    """A file of a checkpoint that holds an object of JSON.

    Raises:
        ModelError: it is not there, or holds something else; says where.
    """
    require_no_pointer(file)
    try:
        found = json.loads(file.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise ModelError(f"{file.parent} is not a checkpoint: it has no {file.name}.") from None
    except OSError as error:
        raise ModelError(f"{file} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise ModelError(f"{file} is not UTF-8 text. Copy the file again.") from None
    except json.JSONDecodeError as error:
        raise ModelError(
            f"{file}, line {error.lineno}: not JSON ({error.msg}, column {error.colno}). Copy the file again."
        ) from None
    except (RecursionError, ValueError):  # the latter of a number with more digits than Python reads
        raise ModelError(f"{file} is nested too deeply, or a number in it is too long.") from None
    if not isinstance(found, dict):
        raise ModelError(f"{file} must hold an object, and holds a {type(found).__name__}.")
    return found


def require_no_pointer(file: Path) -> None:
    """Refuse a file that git-lfs left in place of a large one.

    Raises:
        ModelError: it is such a pointer.
    """
    if file.is_file():
        with file.open("rb") as stream:
            if stream.read(24) == b"version https://git-lfs.":
                raise ModelError(
                    f"{file} is only a pointer of git-lfs, which stands for the file itself. Where the repository was "
                    "cloned, run: git lfs pull"
                )


def weight_files(folder: Path) -> list[Path]:
    """The files of the weights, in order: one, or those that the index names.

    Raises:
        ModelError: some are missing, or the index names a file that holds no safetensors or lies outside of the folder.
    """
    if (folder / WEIGHTS).is_file():
        return [folder / WEIGHTS]
    index = folder / INDEX
    if not index.is_file():
        raise ModelError(_without_weights(folder))
    content = read_object(index)
    named = content.get("weight_map")
    if not isinstance(named, dict) or not named or not isinstance(content.get("metadata"), dict):
        raise ModelError(f"{index} names no weights: it must have a weight_map, and metadata.")
    files = []
    for name in sorted({str(name) for name in named.values()}):
        inside = Path(name)
        if inside.suffix != ".safetensors" or inside.is_absolute() or ".." in inside.parts or "\\" in name:
            raise ModelError(
                f"{index} names {name!r}. srlm loads weights from .safetensors files inside of the folder only: other "
                "formats can hold code."
            )
        files.append(folder / name)
    if missing := [file for file in files if not file.is_file()]:
        raise ModelError(
            f"{missing[0]} is missing ({len(missing)} of {len(files)} files of the weights are). Copy or download the "
            "checkpoint again."
        )
    return files


def require_weights(folder: Path) -> list[str]:
    """The names of all weights, read off the heads of their files.

    Raises:
        ModelError: a file is missing, is a pointer, or is damaged; it is named.
    """
    from safetensors import safe_open

    names: list[str] = []
    for file in weight_files(folder):
        require_no_pointer(file)
        try:
            with safe_open(file, "pt") as weights:
                names += weights.keys()
        except Exception as error:  # SafetensorError is no OSError, and others come from below
            raise ModelError(
                f"{file} is no whole file of safetensors ({' '.join(str(error).split())[:200]}). Copy or download it "
                "again."
            ) from None
    return names


def require_checkpoint(folder: Path) -> None:
    """Refuse a folder that is something else, in the words of what it is.

    Raises:
        ModelError: with what to give in its place.
    """
    if (folder / "adapter_config.json").exists():  # also beside weights: transformers would load its base instead
        raise ModelError(_adapter(folder))
    if not (folder / "config.json").is_file():
        raise ModelError(_not_a_checkpoint(folder))
    if not any(folder.glob("*.safetensors")) and not (folder / INDEX).is_file():
        raise ModelError(_without_weights(folder))


def what_file(path: Path) -> str:
    """What a path is that is no folder."""
    if path.is_symlink() and not path.exists():
        return f"{path} is a link to {path.readlink()}, which is not there."
    if path.suffix == ".gguf":
        return _gguf(path)
    if (path.parent / "config.json").is_file():
        return f"{path} is a file of a checkpoint. Name the folder that it lies in: {path.parent}"
    return f"{path} is a file, and a model is a folder with config.json, a tokenizer and weights in safetensors."


def _not_a_checkpoint(folder: Path) -> str:
    link = folder / "config.json"
    if link.is_symlink():
        return f"{link} is a link to {link.readlink()}, which is not there. Copy the checkpoint with what it links to."
    if found := sorted(folder.glob("*.gguf")):
        return _gguf(found[0])
    begun = f"{folder} is not a checkpoint: it has no config.json."
    steps = {int(match[1]): one for one in folder.glob("checkpoint-*") if (match := re.search(r"-(\d+)$", one.name))}
    if steps:
        return f"{begun} It holds checkpoints of a training; name one of them, such as the last: {steps[max(steps)]}"
    inside = sorted(file.parent for pattern in ("*", "*/*") for file in folder.glob(f"{pattern}/config.json"))
    if inside:
        return f"{begun} There is one in it: {inside[0]}" + (f", and {len(inside) - 1} more." if inside[1:] else "")
    if any(folder.glob("*.pth")):
        return f"{begun} Its weights are in a format of their maker's; use the version of the model for transformers."
    return f"{begun} It needs one, a tokenizer, and weights in safetensors."


def _without_weights(folder: Path) -> str:
    if found := sorted(folder.glob("*.gguf")):
        return _gguf(found[0])
    if links := [file for file in folder.glob("*.safetensors") if not file.exists()]:
        return f"{links[0]} is a link to {links[0].readlink()}, which is not there."
    pickled = sorted(file for pattern in PICKLES for file in folder.glob(pattern))
    if pickled:
        code = (
            "from transformers import AutoModelForCausalLM as M, AutoTokenizer as T; "
            f"M.from_pretrained({str(folder)!r}).save_pretrained('converted'); "
            f"T.from_pretrained({str(folder)!r}).save_pretrained('converted')"
        )
        return (
            f"{folder} has its weights in {pickled[0].name}, a format that can hold code, and srlm loads safetensors "
            f"only. If you trust the file, convert it: python -c {quote(code)}"
        )
    return f"{folder} cannot be loaded: it has no weights, neither {WEIGHTS} nor {INDEX}."


def _gguf(file: Path) -> str:
    return (
        f"{file} is a GGUF file, made for llama.cpp. Name the folder of the checkpoint in safetensors that it was made "
        f"from, or serve it: llama-server -m {quote(str(file))} --port 8080, and name it "
        "openai:NAME@http://127.0.0.1:8080/v1"
    )


def _adapter(folder: Path) -> str:
    base = read_object(folder / "adapter_config.json").get("base_model_name_or_path")
    words = next((folder for pattern in TOKENIZERS if any(folder.glob(pattern))), base)
    code = (
        "from peft import AutoPeftModelForCausalLM as M; from transformers import AutoTokenizer as T; "
        f"M.from_pretrained({str(folder)!r}).merge_and_unload().save_pretrained('merged'); "
        f"T.from_pretrained({str(words)!r}).save_pretrained('merged')"
    )
    return (
        f"{folder} is an adapter (LoRA or the like) of the model {base!r}, not a whole model. Merge the two, and name "
        f"the folder merged: python -c {quote(code)}"
    )
