"""Deterministic seeds from content: random choices depend on the item, not on when it is computed."""

import hashlib
from random import Random


def derive_seed(*parts: object) -> int:
    """Return a 63-bit seed from (run seed, stage, item, sample ...): equal parts give equal seeds on every machine."""
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def model_first(instruction: str) -> bool:
    """Return AlpacaEval 2's random order: True if its judge saw the model's answer before the baseline's."""
    return Random(f"is_switched_outputs{instruction}0").random() >= 0.5
