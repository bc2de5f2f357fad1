"""Deterministic seeds from content: random choices depend on the item, not on when it is computed."""

import hashlib
from random import Random


def derive_seed(*parts: object) -> int:
    """Return a 63-bit seed from (run seed, stage, item, sample ...): equal parts give equal seeds on every machine."""
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def seed_in_name(task: str, name: str) -> int | None:
    """Return the seed in the name of a task: 7 for "puzzle:7", 0 for "puzzle"; None for another name."""
    kind, colon, seed = name.partition(":")
    if kind != task or (colon and not (seed.isascii() and seed.isdigit())):
        return None
    return int(seed or 0)


def model_first(instruction: str) -> bool:
    """Return AlpacaEval 2's random order: True if its judge saw the model's answer before the baseline's."""
    return Random(f"is_switched_outputs{instruction}0").random() >= 0.5
