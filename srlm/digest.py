"""Short digests that identify prompts and prompt sets: 12 hexadecimal digits of a SHA-256."""

import hashlib
from collections.abc import Iterable


def digest_of(text: str) -> str:
    """Return the first 12 hexadecimal digits of a text's SHA-256."""
    return _digits([text])


def digest_of_set(count: int, texts: Iterable[str]) -> str:
    """Return the digest of concatenated texts with the number of items: "805:1f0c...". Texts must have separators."""
    return f"{count}:{_digits(texts)}"


def _digits(texts: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for text in texts:
        digest.update(text.encode(errors="surrogatepass"))  # lone surrogates occur in files
    return digest.hexdigest()[:12]
