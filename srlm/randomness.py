"""Seeds that depend on what an item is, not on when it is computed."""

import hashlib


def derive(*parts: object) -> int:
    """A 63-bit seed from (run seed, stage, item, sample ...): the same parts give the same seed on every machine."""
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
