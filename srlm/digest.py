"""Short names for what was asked, by which results can be told apart: digits of a SHA-256."""

import hashlib
from collections.abc import Iterable


def digest_of(text: str) -> str:
    """The first 12 hexadecimal digits of a text's SHA-256."""
    return _digits([text])


def digest_of_set(count: int, texts: Iterable[str]) -> str:
    """The same of texts in a row, after how many things they are: "805:1f0c...". Between them the caller separates."""
    return f"{count}:{_digits(texts)}"


def _digits(texts: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for text in texts:
        digest.update(text.encode(errors="surrogatepass"))  # half a character, as files have it, is text too
    return digest.hexdigest()[:12]
