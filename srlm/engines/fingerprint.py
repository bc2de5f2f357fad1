"""Fingerprint of a checkpoint: a digest of all files that determine its answers, part of its ledger keys.

The digest of a large file is remembered in the user's cache, because reading 70B weights takes minutes. It is used only
while the file's size, times and inode are what they were; any other file is read.
"""

import hashlib
import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from srlm.atomic_files import write_text
from srlm.checkpoint_files import read_object, weight_files
from srlm.checkpoint_messages import INDEX, WEIGHTS
from srlm.errors import SrlmError
from srlm.model_hub import cache_dir
from srlm.processor import usable_cores

FINGERPRINTED = (
    "*.safetensors",
    "config.json",
    "generation_config.json",
    "tokenizer*.json",
    "*.jinja",
    "*.model",
    "vocab*",
)
"""Files of every checkpoint that determine its answers."""

LARGE = 16 << 20
"""Bytes from which a file's digest is remembered: a smaller one is read in some hundredths of a second."""
SETTLED_S = 2.0
"""Age of a file below which it could change once more without another time: file systems count up to 2 s."""


def fingerprint(folder: Path) -> str:
    """Compute the SHA-256 of a checkpoint's weights, configuration, tokenizer and template, 16 hex digits.

    Raises:
        ModelError: weights are missing, or lie outside of the folder.
    """
    usual = sorted({file for pattern in FINGERPRINTED for file in folder.glob(pattern)})
    files = [*usual, *(file for file in _unusual(folder) if file not in usual)]
    digest = hashlib.sha256()
    with ThreadPoolExecutor(usable_cores()) as pool:  # the shards of a large model side by side
        for file, content in zip(files, pool.map(_digest, files), strict=True):
            digest.update(file.relative_to(folder).as_posix().encode())
            digest.update(bytes.fromhex(content))
    return digest.hexdigest()[:16]


def _digest(file: Path) -> str:
    """Return the SHA-256 of a file in hex digits, remembered or computed."""
    state = _state(file)
    if state["size"] < LARGE:
        return _read(file)
    memory = cache_dir() / "digests" / f"{hashlib.sha256(os.fsencode(file.resolve())).hexdigest()[:32]}.json"
    with suppress(OSError, ValueError, AttributeError):
        known = json.loads(memory.read_text(encoding="utf-8"))
        if {name: known.get(name) for name in state} == state and len(known["sha256"]) == 64:
            return str(known["sha256"])
    settled = time.time() - max(state["mtime_ns"], state["ctime_ns"]) / 1e9 > SETTLED_S
    found = _read(file)
    if settled and _state(file) == state:
        with suppress(OSError, SrlmError):  # without a cache it is computed again
            write_text(memory, json.dumps({"file": str(file.resolve()), **state, "sha256": found}))
    return found


def _state(file: Path) -> dict[str, int]:
    """Return what changes with a file. Its time of change and inode too: its time of modification can be set."""
    stat = file.stat()
    return {"size": stat.st_size, "mtime_ns": stat.st_mtime_ns, "ctime_ns": stat.st_ctime_ns, "inode": stat.st_ino}


def _read(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _unusual(folder: Path) -> list[Path]:
    """Return further files that are read in some checkpoints only, so that the digests of others stay the same."""
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
