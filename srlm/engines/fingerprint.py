"""Fingerprint of a checkpoint: a digest of all files that determine its answers, part of its ledger keys."""

import hashlib
from pathlib import Path

from srlm.checkpoint_files import read_object, weight_files
from srlm.checkpoint_messages import INDEX, WEIGHTS

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


def fingerprint(folder: Path) -> str:
    """Compute the SHA-256 of a checkpoint's weights, configuration, tokenizer and template, 16 hex digits.

    Raises:
        ModelError: weights are missing, or lie outside of the folder.
    """
    digest = hashlib.sha256()
    usual = sorted({file for pattern in FINGERPRINTED for file in folder.glob(pattern)})
    for file in [*usual, *(file for file in _unusual(folder) if file not in usual)]:
        digest.update(file.relative_to(folder).as_posix().encode())
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()[:16]


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
