"""Remove secrets from text: credentials in URLs, known keys and their parts, and strings that look like keys.

Pure functions without a list of secrets of their own. `srlm.engines.server_address` finds the secrets of an address,
`srlm.crash_report` removes what the environment holds.
"""

import re
from collections.abc import Sequence

HIDDEN = "[hidden]"

PART_LENGTH = 8
"""Length of the substrings of a key that are hidden too."""

SHORTEST_SECRET = 4
"""Shorter strings are not replaced: they occur in ordinary words."""

_URL_CREDENTIALS = re.compile(r"(?<=://)[^\s'\"]*@")
_MASKED = re.compile(r"[\w.-]{0,64}\*{2,64}[\w.*-]{0,64}")
_SHORTENED = re.compile(r"([\w-]{2,64})(?:\.{2,64}|\u2026)([\w-]{0,64})")
_LABELLED = re.compile(
    r"(?i)\b((?:bearer|basic)\s+|(?:[\w-]{0,32}(?:api[-_ ]?key|token|password|passwd|secret|authorization)"
    r"(?:\s+provided)?)[\"']?\s{0,4}[:=]\s{0,4}[\"']?(?:bearer\s+|basic\s+)?)([^\s\"',;]{6,400})"
)
_KEYS = re.compile(r"\b(?:sk|pk|rk|gsk|xai|hf|key|ghp|AIza)[-_]?[A-Za-z0-9_-]{16,400}")


def remove_url_credentials(text: str) -> str:
    """Remove user names and passwords from all URLs in a text: "http://user:password@host" -> "http://host"."""
    return _URL_CREDENTIALS.sub("", text)


def hide_secrets(text: str, secrets: Sequence[str]) -> str:
    """Replace secrets where they occur complete."""
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= SHORTEST_SECRET and secret in text:
            text = text.replace(secret, HIDDEN)
    return text


def redact(text: str, secrets: Sequence[str]) -> str:
    """Replace secrets, their parts and masked forms, and whatever looks like another key."""
    text = hide_secrets(text, secrets)
    for secret in secrets:
        text = _hide_parts(text, secret)
    text = _MASKED.sub(HIDDEN, text)
    text = _SHORTENED.sub(lambda found: HIDDEN if _is_shortened(found[1], found[2], secrets) else found[0], text)
    text = _LABELLED.sub(lambda found: found[1] + HIDDEN, text)
    return _KEYS.sub(HIDDEN, text)


def _hide_parts(text: str, secret: str) -> str:
    """Replace every run of characters that is covered by parts of the secret."""
    parts = {secret[start : start + PART_LENGTH] for start in range(len(secret) - PART_LENGTH + 1)}
    if not parts:
        return text
    hidden = [False] * len(text)
    for start in range(len(text) - PART_LENGTH + 1):
        if text[start : start + PART_LENGTH] in parts:
            hidden[start : start + PART_LENGTH] = [True] * PART_LENGTH
    if not any(hidden):
        return text
    kept = [
        HIDDEN if hides and (place == 0 or not hidden[place - 1]) else "" if hides else text[place]
        for place, hides in enumerate(hidden)
    ]
    return "".join(kept)


def _is_shortened(beginning: str, end: str, secrets: Sequence[str]) -> bool:
    """Return whether a word with its middle left out ("sk-ab...yz") is one of the secrets."""
    return any(
        len(secret) >= PART_LENGTH
        and secret.startswith(beginning[-PART_LENGTH:] if len(beginning) > PART_LENGTH else beginning)
        and secret.endswith(end)
        for secret in secrets
    )
