"""What a server said of a failure, as it may be shown: short, on one line, and without a secret.

A server may repeat the key that it was sent, whole, in pieces or with stars in the middle; a hostile one may send
orders for the terminal.
"""

import json
import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any

LONGEST = 200
"""Characters of a server's message that are shown."""

READ = 20_000
"""Characters of an error's body that are looked at."""

HIDDEN = "[hidden]"

PIECE = 8
"""Characters of a key that are hidden wherever they stand together."""

_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]{0,64}[ -/]{0,8}[@-~]|(?:\x1b\]|\x9d)[^\x07\x1b\x9c]{0,2000}(?:\x07|\x1b\\|\x9c)"
)
_MASKED = re.compile(r"[\w.-]{0,64}\*{2,64}[\w.*-]{0,64}")
_SHORTENED = re.compile(r"([\w-]{2,64})(?:\.{2,64}|\u2026)([\w-]{0,64})")
_LABELLED = re.compile(
    r"(?i)\b((?:bearer|basic)\s+|(?:[\w-]{0,32}(?:api[-_ ]?key|token|password|passwd|secret|authorization)"
    r"(?:\s+provided)?)[\"']?\s{0,4}[:=]\s{0,4}[\"']?(?:bearer\s+|basic\s+)?)([^\s\"',;]{6,400})"
)
_KEYS = re.compile(r"\b(?:sk|pk|rk|gsk|xai|hf|key|ghp|AIza)[-_]?[A-Za-z0-9_-]{16,400}")
_TITLE = re.compile(r"<title[^>]{0,200}>([^<]{1,200})</title", re.IGNORECASE)


def parsed(content: bytes) -> Any:
    """An error's body: from JSON, else its text."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return content[:READ].decode("utf-8", "replace")


def is_page(body: Any) -> bool:
    """Whether it is a page for people."""
    return isinstance(body, str) and body.lstrip("\ufeff \t\r\n").startswith("<")


def message_of(body: Any) -> str:
    """The words for people in an error's body, of whatever shape."""
    if is_page(body):
        title = _TITLE.search(body[:READ])
        return f"an HTML page{f' ({title[1].strip()})' if title else ''}"
    if isinstance(body, str):
        return body
    named = {"message", "msg", "detail", "error_description", "title"}
    found = [words for name, words in strings_in(body) if name in named and words.strip()]
    if not found:
        found = [words for name, words in strings_in(body) if name in {"error", "type", "raw", ""} and words.strip()]
    return found[0] if found else ""


def codes_of(body: Any) -> list[str]:
    """The names and numbers that say of which kind an error is, in lower case."""
    return [words.lower() for name, words in strings_in(body) if name in {"code", "type", "status", "reason"}]


def strings_in(body: Any, name: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    """All strings and whole numbers in what came as JSON, with the names that they stand under."""
    if isinstance(body, dict) and depth < 8:
        for key, value in list(body.items())[:100]:
            yield from strings_in(value, str(key), depth + 1)
    elif isinstance(body, list) and depth < 8:
        for value in body[:100]:
            yield from strings_in(value, name, depth + 1)
    elif isinstance(body, str):
        yield name, body[:READ]
    elif isinstance(body, int) and not isinstance(body, bool) and abs(body) < 1 << 53:
        yield name, str(body)


def shown(words: str, secrets: Sequence[str]) -> str:
    """Words of a server on one line, at most `LONGEST` characters, without secrets and orders to a terminal."""
    words = _ESCAPES.sub("", words[:READ])
    words = "".join(
        " " if character.isspace() or unicodedata.category(character) == "Cc" else character
        for character in words
        if character.isspace() or unicodedata.category(character) not in {"Cf", "Cs", "Co", "Cn"}
    )
    words = " ".join(redacted(words, secrets).split())
    return words if len(words) <= LONGEST else words[: LONGEST - 1].rstrip() + "\u2026"


def redacted(words: str, secrets: Sequence[str]) -> str:
    """Words without these secrets and their pieces, and without what looks like another key."""
    words = without_secrets(words, secrets)
    for secret in secrets:
        words = _without_pieces(words, secret)
    words = _MASKED.sub(HIDDEN, words)
    words = _SHORTENED.sub(lambda found: HIDDEN if _is_ends_of(found[1], found[2], secrets) else found[0], words)
    words = _LABELLED.sub(lambda found: found[1] + HIDDEN, words)
    return _KEYS.sub(HIDDEN, words)


def without_secrets(words: str, secrets: Sequence[str]) -> str:
    """Words without these secrets where they stand whole; those of fewer than 4 characters hide nothing."""
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= 4 and secret in words:
            words = words.replace(secret, HIDDEN)
    return words


def _without_pieces(words: str, secret: str) -> str:
    pieces = {secret[start : start + PIECE] for start in range(len(secret) - PIECE + 1)}
    if not pieces:
        return words
    hidden = [False] * len(words)
    for start in range(len(words) - PIECE + 1):
        if words[start : start + PIECE] in pieces:
            hidden[start : start + PIECE] = [True] * PIECE
    if not any(hidden):
        return words
    kept = [
        HIDDEN if hides and (place == 0 or not hidden[place - 1]) else "" if hides else words[place]
        for place, hides in enumerate(hidden)
    ]
    return "".join(kept)


def _is_ends_of(begins: str, ends: str, secrets: Sequence[str]) -> bool:
    """Whether a shortened word ("sk-ab...yz") is one of the secrets."""
    return any(
        len(secret) >= PIECE
        and secret.startswith(begins[-PIECE:] if len(begins) > PIECE else begins)
        and secret.endswith(ends)
        for secret in secrets
    )
