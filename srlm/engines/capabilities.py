"""Request fields that a model server refuses, found from its error messages.

Reasoning models refuse a temperature, some servers a seed, others give no probabilities. A field that a server refuses
by name is left out, and the call is made again. Fields whose removal led to an answer are stored in the ledger and are
part of the key of such a call: a call without a temperature is another call.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from srlm.engines.server_messages import strings_in
from srlm.types import Request

MAX_TOP_LOGPROBS = 20
"""Alternatives requested at the first token; the protocol's limit."""

FALLBACK_TOP_LOGPROBS = 5
"""Alternatives for a server that refuses more and names no limit."""

REFUSAL_STATUSES = frozenset({400, 422})
"""Statuses of a server that refuses a field."""

MAX_TOKENS_FIELDS = ("max_tokens", "max_completion_tokens")
"""Both names of one field: where one is refused the other is sent, and the ledger key stays the same."""

_FIELDS = {
    "temperature": r"temperature",
    "top_p": r"top[ _-]?p",
    "seed": r"(?:random[ _])?seed",
    "top_logprobs": r"top[ _-]?log[ _-]?prob(?:s|abilities)",
    "logprobs": r"(?:response_)?log[ _-]?prob(?:s|abilities)",
    "max_completion_tokens": r"max[ _-]?completion[ _-]?tokens",
    "max_tokens": r"max[ _-]?tokens",
    "stop": r"stop[ _](?:sequences?|words?|strings?)",
    "stop_sequences": r"stop[ _]sequences?",
}
_WORDS = {field: re.compile(rf"(?<![a-z_])(?:{pattern})(?![a-z_])") for field, pattern in _FIELDS.items()}
_QUOTED = {
    field: re.compile(rf"['\"`\u2018\u201c](?:[a-z_]+\.)?(?:{field}|{pattern})['\"`\u2019\u201d]")
    for field, pattern in _FIELDS.items()
}
_LISTED = re.compile(
    r"(?<![a-z])(?:supported|allowed|valid|permitted) (?:parameters|fields|arguments|options|keys)\b.*"
)
_TOGETHER = re.compile(r"\bboth\b|\bone of\b|\bnot .{0,20}together\b|\bat the same time\b|\beither\b")
_LIMIT = re.compile(
    r"(?:equal to|at most|no more than|maximum(?: value)?(?: of| is)?|up to|<=|not exceed|less than or equal to"
    r"|between \d{1,3} and|\[\d{1,3}, ?)\D{0,12}(\d{1,3})\b"
)
_UNKNOWN = re.compile(
    r"unsupported|not support|unrecogni[sz]ed|unknown|unexpected|not permitted|not allowed|extra|not known|deprecated"
    r"|cannot find|no such|forbidden|not implemented|invalid field|removed"
)
_KNOWN = re.compile(r"temperature|top_p|seed|logprobs|top_logprobs=\d+|max_tokens|max_completion_tokens|stop")


@dataclass(frozen=True)
class Capabilities:
    """The fields that a server refuses, in the order of discovery, such as ("temperature", "top_logprobs=5")."""

    refused: tuple[str, ...] = ()

    def accepts(self, field: str) -> bool:
        """Return whether a field may be sent."""
        return field not in self.refused

    @property
    def top_logprobs(self) -> int:
        """Return the number of alternatives that may be requested."""
        counts = [int(field.partition("=")[2]) for field in self.refused if field.startswith("top_logprobs=")]
        return min([MAX_TOP_LOGPROBS, *counts])

    def refusing(self, fields: Collection[str]) -> "Capabilities":
        """Return the capabilities with more refused fields; unknown fields are ignored."""
        new = tuple(field for field in fields if field not in self.refused and _KNOWN.fullmatch(field))
        return Capabilities(self.refused + new) if new else self

    @property
    def history(self) -> tuple["Capabilities", ...]:
        """Return these capabilities and all earlier ones, the newest first."""
        return tuple(Capabilities(self.refused[:count]) for count in range(len(self.refused), -1, -1))

    def changed_fields(self, sent: Collection[str]) -> list[str]:
        """Return which of these fields are left out or changed; the other name of max_tokens is no change."""
        dropped = [field for field in sent if not self.accepts(field) and field not in MAX_TOKENS_FIELDS]
        if "logprobs" in dropped:
            dropped = [field for field in dropped if field != "top_logprobs"]
        elif "top_logprobs" in sent and self.top_logprobs < MAX_TOP_LOGPROBS:
            dropped.append(f"top_logprobs={self.top_logprobs}")
        return sorted(dropped)


FULL = Capabilities()
"""Capabilities of a server that refuses nothing."""


@runtime_checkable
class AdaptiveEngine(Protocol):
    """An engine that changes its requests to what the server accepts."""

    capabilities: Capabilities

    def identity_for(self, request: Request, capabilities: Capabilities | None = None) -> str:
        """Return `identity` with the fields that are left out of the request; part of the ledger's key."""
        ...

    def update_capabilities(self, capabilities: Capabilities) -> None:
        """Adopt the capabilities found by another call or an earlier command."""
        ...


def describe_refusal(field: str) -> str:
    """Describe a refused field and what is sent instead: "temperature: sent without it"."""
    if field in MAX_TOKENS_FIELDS:
        return f"{field}: sent as {_other_name(field)}"
    if field.startswith("top_logprobs="):
        return f"so many top_logprobs: requesting {field.partition('=')[2]}"
    if field == "logprobs":
        return "logprobs: sent without it, so a choice is a plain vote in text"
    return f"{field}: sent without it"


def refused_field(status: int | None, body: Any, sent: Collection[str], capabilities: Capabilities) -> str | None:
    """Find the field that a server refuses, in the notation of `Capabilities`; None if it names none.

    Args:
        status: of HTTP.
        body: of the error, in any shape.
        sent: names of the fields of the request.
        capabilities: with which the request was sent.
    """
    if status not in REFUSAL_STATUSES and status != 403:
        return None
    said = list(strings_in(body))
    text = " ".join(_normalize(words) for name, words in said if name not in {"param", "loc"})
    field = _field_in_param(said, sent) or _field_in_message(text, sent)
    if field is None or (status == 403 and "logprobs" not in field):
        return None
    if field in MAX_TOKENS_FIELDS:
        other = _other_name(field)
        renamed = capabilities.accepts(other) and (_WORDS[other].search(text) or _UNKNOWN.search(text))
        return field if renamed and not _TOO_LARGE.search(text) else None
    if field == "top_logprobs":
        return _fewer_logprobs(text, capabilities)
    return "stop" if field == "stop_sequences" else field


_TOO_LARGE = re.compile(r"too (?:large|big|high|many)|at most|context length|exceed|maximum context|less than")


def _other_name(field: str) -> str:
    """Return the other name of max_tokens."""
    return MAX_TOKENS_FIELDS[1 - MAX_TOKENS_FIELDS.index(field)]


def _normalize(text: str) -> str:
    """Convert to lower case, and "topLogprobs" to "top_logprobs"."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", text).lower()


def _field_in_param(said: list[tuple[str, str]], sent: Collection[str]) -> str | None:
    """Find the field where servers name one: in `param`, or as the last part of a path in the request."""
    for name, words in said:
        if name in {"param", "loc", "parameter", "field"}:
            last = _normalize(words).rpartition(".")[2]
            if last in sent and last in _FIELDS:
                return last
    return None


def _field_in_message(text: str, sent: Collection[str]) -> str | None:
    """Find the field that a message names first: in quotation marks, or as a word."""
    fields = [field for field in _FIELDS if field in sent]
    for words in (_LISTED.sub("", text), text):
        for patterns in (_QUOTED, _WORDS):
            found = {field: match.start() for field in fields if (match := patterns[field].search(words))}
            if {"temperature", "top_p"} <= found.keys() and _TOGETHER.search(words):
                return "top_p"
            if found:
                return min(found, key=found.__getitem__)
    return None


def _fewer_logprobs(text: str, capabilities: Capabilities) -> str:
    """Return the limit that a message names, or a smaller one than was sent, or no logprobs at all."""
    named = [int(number) for number in _LIMIT.findall(text)]
    sent = capabilities.top_logprobs
    fallback = FALLBACK_TOP_LOGPROBS if sent > FALLBACK_TOP_LOGPROBS else 0
    fewer = next((number for number in named if 1 < number < sent), fallback)
    return f"top_logprobs={fewer}" if fewer else "logprobs"
