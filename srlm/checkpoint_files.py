"""The files of a checkpoint folder, checked before any library reads them.

A checkpoint is a config.json, a tokenizer, and weights in safetensors, which contain numbers and no code. Other formats
(adapters, GGUF files, folders of a training) are recognised and refused by name: `srlm.checkpoint_messages`.
"""

import json
from math import prod
from pathlib import Path
from typing import Any

from srlm.checkpoint_messages import INDEX, WEIGHTS, adapter, no_checkpoint, no_weights
from srlm.errors import ModelError


def read_config(folder: Path) -> dict[str, Any]:
    """Read a checkpoint's config.json.

    Raises:
        ModelError: it is missing or malformed.
    """
    return read_object(folder / "config.json")


def read_object(file: Path) -> dict[str, Any]:
    """Read a file of a checkpoint that contains a JSON object.

    Raises:
        ModelError: it is missing or malformed; the message has the line.
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
    except (RecursionError, ValueError):  # the latter for a number with more digits than Python reads
        raise ModelError(f"{file} is nested too deeply, or a number in it is too long. Copy the file again.") from None
    if not isinstance(found, dict):
        raise ModelError(f"{file} must contain an object, and contains a {type(found).__name__}. Copy the file again.")
    return found


def require_no_pointer(file: Path) -> None:
    """Refuse a git-lfs pointer in place of a large file.

    Raises:
        ModelError: the file is a pointer.
    """
    if file.is_file():
        with file.open("rb") as stream:
            if stream.read(24) == b"version https://git-lfs.":
                raise ModelError(
                    f"{file} is only a git-lfs pointer to the file. In the clone of the repository, run: git lfs pull"
                )


def weight_files(folder: Path) -> list[Path]:
    """Return the files of the weights, in order: a single one, or those of the index.

    Raises:
        ModelError: a file is missing, is not in safetensors, or lies outside of the folder.
    """
    if (folder / WEIGHTS).is_file():
        return [folder / WEIGHTS]
    index = folder / INDEX
    if not index.is_file():
        raise ModelError(no_weights(folder))
    content = read_object(index)
    named = content.get("weight_map")
    if not isinstance(named, dict) or not named or not isinstance(content.get("metadata"), dict):
        raise ModelError(f"{index} names no weights: it must have a weight_map and metadata. Copy the file again.")
    files = []
    for name in sorted({str(name) for name in named.values()}):
        inside = Path(name)
        if inside.suffix != ".safetensors" or inside.is_absolute() or ".." in inside.parts or "\\" in name:
            raise ModelError(
                f"{index} names {name!r}. srlm loads weights only from .safetensors files inside of the folder: other "
                "formats can contain code."
            )
        files.append(folder / name)
    if missing := [file for file in files if not file.is_file()]:
        raise ModelError(
            f"{missing[0]} is missing ({len(missing)} of {len(files)} files of the weights are). Copy or download the "
            "checkpoint again."
        )
    return files


def require_weights(folder: Path) -> list[str]:
    """Read the names of all weights from the headers of their files.

    Raises:
        ModelError: a file is missing, a pointer, or damaged.
    """
    from safetensors import safe_open

    names: list[str] = []
    for file in weight_files(folder):
        require_no_pointer(file)
        try:
            with safe_open(file, "pt") as weights:
                names += weights.keys()
        except Exception as error:  # SafetensorError is no OSError, and other classes occur
            raise ModelError(
                f"{file} is no complete safetensors file ({' '.join(str(error).split())[:200]}). Copy or download it "
                "again."
            ) from None
    return names


def weight_count(folder: Path) -> int:
    """Count the numbers in a checkpoint's weights, whatever their precision. Only the files' headers are read.

    Raises:
        ModelError: a file of the weights is missing.
    """
    from safetensors import safe_open

    count = 0
    for file in weight_files(folder):
        with safe_open(file, "pt") as opened:
            count += sum(prod(opened.get_slice(name).get_shape()) for name in opened.keys())  # noqa: SIM118
    return count


def weight_dtypes(folder: Path) -> set[str]:
    """Return the names that safetensors has for the precisions of a checkpoint's weights, such as BF16.

    Raises:
        ModelError: a file of the weights is missing.
    """
    from safetensors import safe_open

    found: set[str] = set()
    for file in weight_files(folder):
        with safe_open(file, "pt") as opened:
            found |= {opened.get_slice(name).get_dtype() for name in opened.keys()}  # noqa: SIM118
    return found


def require_checkpoint(folder: Path) -> None:
    """Refuse a folder that is no checkpoint.

    Raises:
        ModelError: the message says what the folder is, and what to give instead.
    """
    if (folder / "adapter_config.json").exists():  # also next to weights: transformers would load its base instead
        base = read_object(folder / "adapter_config.json").get("base_model_name_or_path")
        raise ModelError(adapter(folder, base))
    if not (folder / "config.json").is_file():
        raise ModelError(no_checkpoint(folder))
    if not any(folder.glob("*.safetensors")) and not (folder / INDEX).is_file():
        raise ModelError(no_weights(folder))
