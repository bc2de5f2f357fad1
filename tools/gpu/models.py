"""The model of a check: a name or folder, the packaged file in parts, or random weights for a processor."""

import shutil
from collections.abc import Sequence
from pathlib import Path

TINY_CONTEXT = 4096
"""Tokens; the tiny model's tokens are bytes, and a judge's prompt has thousands."""


def joined_model(parts: Sequence[Path], out: Path) -> Path:
    """Join the parts of a GGUF file in the order given, and convert it to a checkpoint; return its folder.

    A machine that takes only small files gets a large one in halves (`split -b 48M model.gguf model.gguf.`).
    """
    from srlm.model_hub import convert_gguf

    target = out / "model"
    if not (target / "config.json").is_file():
        whole = out / "model.gguf"
        with whole.open("wb") as file:
            for part in parts:
                with part.open("rb") as source:
                    shutil.copyfileobj(source, file)
        convert_gguf(whole, target)
        whole.unlink()
    return target


def tiny_model(out: Path) -> Path:
    """Write a checkpoint with random weights, and return its folder: a Llama of two layers whose tokens are bytes."""
    from helpers.tiny_models import STYLES, byte_level, save

    target = out / "tiny-model"
    if not (target / "config.json").is_file():
        template, eos, special = STYLES["chatml"]
        tokenizer = byte_level(special, eos, template)
        save(
            target,
            "llama",
            vocab_size=len(tokenizer),
            max_position_embeddings=TINY_CONTEXT,
            pad_token_id=tokenizer.pad_token_id,
            eos_token_id=tokenizer.eos_token_id,
            bos_token_id=None,
        )
        tokenizer.save_pretrained(target)
    return target
