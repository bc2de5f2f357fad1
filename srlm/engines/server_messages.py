"""Error messages of servers, made safe to show: short, on one line, without secrets or terminal escapes.

A server may repeat the key that it was sent: complete, in parts, or with stars in the middle. An untrusted one may send
escape sequences.
"""

import json
import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any

from srlm.redact import redact

MAX_SHOWN = 200
"""Characters of a server's message that are shown."""

MAX_READ = 20_000
"""Characters of an error's body that are searched."""

_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]{0,64}[ -/]{0,8}[@-~]|(?:\x1b\]|\x9d)[^\x07\x1b\x9c]{0,2000}(?:\x07|\x1b\\|\x9c)"
)
_TITLE = re.compile(r"<title[^>]{0,200}>([^<]{1,200})</title", re.IGNORECASE)


def parse_body(content: bytes) -> Any:
    """Parse an error's body: JSON if it is JSON, else text."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return content[:MAX_READ].decode("utf-8", "replace")


def is_html(body: Any) -> bool:
    """Return whether a body is an HTML page."""
    return isinstance(body, str) and body.lstrip("\ufeff \t\r\n").startswith("<")


def find_message(body: Any) -> str:
    """Find the human-readable message in an error's body of any shape; "" if there is none."""
    if is_html(body):
        title = _TITLE.search(body[:MAX_READ])
        return f"an HTML page{f' ({title[1].strip()})' if title else ''}"
    if isinstance(body, str):
        return body
    named = {"message", "msg", "detail", "error_description", "title"}
    found = [text for name, text in strings_in(body) if name in named and text.strip()]
    if not found:
        found = [text for name, text in strings_in(body) if name in {"error", "type", "raw", ""} and text.strip()]
    return found[0] if found else ""


def find_codes(body: Any) -> list[str]:
    """Find the error codes and types in an error's body, in lower case."""
    return [text.lower() for name, text in strings_in(body) if name in {"code", "type", "status", "reason"}]


def strings_in(body: Any, name: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    """Yield all strings and integers of parsed JSON as (field name, text)."""
    if isinstance(body, dict) and depth < 8:
        for key, value in list(body.items())[:100]:
            yield from strings_in(value, str(key), depth + 1)
    elif isinstance(body, list) and depth < 8:
        for value in body[:100]:
            yield from strings_in(value, name, depth + 1)
    elif isinstance(body, str):
        yield name, body[:MAX_READ]
    elif isinstance(body, int) and not isinstance(body, bool) and abs(body) < 1 << 53:
        yield name, str(body)


def safe_to_show(text: str, secrets: Sequence[str]) -> str:
    """Put a server's text on one line of at most `MAX_SHOWN` characters, without secrets or terminal escapes."""
    text = _ESCAPES.sub("", text[:MAX_READ])
    text = "".join(
        " " if character.isspace() or unicodedata.category(character) == "Cc" else character
        for character in text
        if character.isspace() or unicodedata.category(character) not in {"Cf", "Cs", "Co", "Cn"}
    )
    text = " ".join(redact(text, secrets).split())
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1].rstrip() + "\u2026"
