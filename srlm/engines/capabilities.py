"""What a model behind a server refuses of a request, found out from the server's own words.

Reasoning models take no temperature, some servers know no seed, others give no probabilities. What a server refuses by
name is left out, and the call is made again. What proved to help is kept in the ledger, and is part of the key of what
was asked so: a call without a temperature is another call.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from srlm.engines.server_messages import strings_in
from srlm.types import Request

TOP = 20
"""Alternatives that are asked for at the first token; the protocol's limit."""

FEW = 5
"""Alternatives where a server refuses so many and names no number."""

REFUSALS = frozenset({400, 422})
"""Statuses with which a server says that it does not take a field."""

LIMITS = ("max_tokens", "max_completion_tokens")
"""Both names of one field: it has another name where one is refused, and the call is the same."""

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
_MOST = re.compile(
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
    """What is refused, in the order in which that was learned, such as ("temperature", "top_logprobs=5")."""

    refused: tuple[str, ...] = ()

    def has(self, field: str) -> bool:
        """Whether a field may be sent."""
        return field not in self.refused

    @property
    def top(self) -> int:
        """How many alternatives may be asked for."""
        counts = [int(word.partition("=")[2]) for word in self.refused if word.startswith("top_logprobs=")]
        return min([TOP, *counts])

    def plus(self, words: Collection[str]) -> "Capabilities":
        """These, and what else is refused; what is no such word is left out."""
        new = tuple(word for word in words if word not in self.refused and _KNOWN.fullmatch(word))
        return Capabilities(self.refused + new) if new else self

    @property
    def history(self) -> tuple["Capabilities", ...]:
        """These and those that were known before, the newest first."""
        return tuple(Capabilities(self.refused[:count]) for count in range(len(self.refused), -1, -1))

    def changes(self, sent: Collection[str]) -> list[str]:
        """What is asked differently of a request that would send these fields otherwise; another name is none."""
        dropped = [field for field in sent if not self.has(field) and field not in LIMITS]
        if "logprobs" in dropped:
            dropped = [field for field in dropped if field != "top_logprobs"]
        elif "top_logprobs" in sent and self.top < TOP:
            dropped.append(f"top_logprobs={self.top}")
        return sorted(dropped)


FULL = Capabilities()
"""Nothing is refused."""


@runtime_checkable
class Adapting(Protocol):
    """An engine that asks differently where its server refuses something."""

    capabilities: Capabilities

    def asked(self, request: Request, able: Capabilities | None = None) -> str:
        """What was asked, and how: `identity`, and what was left out. Part of the ledger's key."""
        ...

    def learn(self, able: Capabilities) -> None:
        """Take over what another call, or an earlier command, found out."""
        ...


def sentence(word: str) -> str:
    """What a user is told of a refusal: "temperature: asked without it"."""
    if word in LIMITS:
        return f"{word}: asked with {LIMITS[1 - LIMITS.index(word)]}"
    if word.startswith("top_logprobs="):
        return f"so many top_logprobs: asked for {word.partition('=')[2]}"
    if word == "logprobs":
        return "logprobs: asked without them, so that a choice is a plain vote in words"
    return f"{word}: asked without it"


def refusal(status: int | None, body: Any, sent: Collection[str], able: Capabilities) -> str | None:
    """Which field of those that were sent a server refuses, as `Capabilities` says it; None if it names none.

    Args:
        status: of HTTP.
        body: of the error, of whatever shape.
        sent: names of the fields of the request.
        able: what was known of the server when it was asked.
    """
    if status not in REFUSALS and status != 403:
        return None
    said = list(strings_in(body))
    text = " ".join(_lower(words) for name, words in said if name not in {"param", "loc"})
    field = _by_name(said, sent) or _by_words(text, sent)
    if field is None or (status == 403 and "logprobs" not in field):
        return None
    if field in LIMITS:
        other = LIMITS[1 - LIMITS.index(field)]
        fits = able.has(other) and (_WORDS[other].search(text) or _UNKNOWN.search(text)) and not _TOO_LARGE.search(text)
        return field if fits else None
    if field == "top_logprobs":
        return _fewer(text, able)
    return "stop" if field == "stop_sequences" else field


_TOO_LARGE = re.compile(r"too (?:large|big|high|many)|at most|context length|exceed|maximum context|less than")


def _lower(words: str) -> str:
    """In lower case, and "topLogprobs" as "top_logprobs"."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", words).lower()


def _by_name(said: list[tuple[str, str]], sent: Collection[str]) -> str | None:
    """The field that stands where servers name one: `param`, or the last piece of a place in the request."""
    for name, words in said:
        if name in {"param", "loc", "parameter", "field"}:
            last = _lower(words).rpartition(".")[2]
            if last in sent and last in _FIELDS:
                return last
    return None


def _by_words(text: str, sent: Collection[str]) -> str | None:
    """The field that a message names first: in quotation marks, or as a word."""
    fields = [field for field in _FIELDS if field in sent]
    for words in (_LISTED.sub("", text), text):
        for patterns in (_QUOTED, _WORDS):
            found = {field: match.start() for field in fields if (match := patterns[field].search(words))}
            if {"temperature", "top_p"} <= found.keys() and _TOGETHER.search(words):
                return "top_p"
            if found:
                return min(found, key=found.__getitem__)
    return None


def _fewer(text: str, able: Capabilities) -> str:
    """Fewer alternatives than were asked for, or none."""
    named = [int(number) for number in _MOST.findall(text)]
    fewer = next((number for number in named if 1 < number < able.top), FEW if able.top > FEW else 0)
    return f"top_logprobs={fewer}" if fewer else "logprobs"
