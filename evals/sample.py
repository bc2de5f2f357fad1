"""Samples of the report: a prompt with all answers to it and the verdicts on them, and their packing into the page.

The link of a value names facets (`link`); the page shows the samples that have them. Facets of the prompt are its
suite, category, complexity, length and fate; those of an answer are in its marks, and a link that names several of
these means one mark that has them all. Texts are packed once each, compressed, and unpacked in the browser: models'
texts are always data, and never markup.
"""

import gzip
import json
from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from srlm.types import Failed, InjectionFlag, Unparsed, Verdict

NO_LABEL = "no label"


@dataclass(frozen=True)
class Mark:
    """An outcome of an answer, as the values of the report count it: facets. Empty ones do not apply."""

    model: str
    outcome: str
    opponent: str = ""
    turn: str = ""
    score: str = ""


@dataclass(frozen=True)
class Opinion:
    """A verdict: the judge, the subject, the parsed verdict, and the judge's reply with its reasoning."""

    by: str
    about: str
    reading: str
    text: str
    thoughts: str = ""


@dataclass(frozen=True)
class Reply:
    """An answer, with a `note` on it. `flags` are (start, end, kind), in characters of the text.

    `thoughts` is the reasoning before it, which is shown folded and not searched.
    """

    by: str
    text: str
    note: str = ""
    marks: tuple[Mark, ...] = ()
    opinions: tuple[Opinion, ...] = ()
    flags: tuple[tuple[int, int, str], ...] = ()
    thoughts: str = ""


@dataclass(frozen=True)
class Sample:
    """A prompt of a suite, or of an iteration, and the answers to it."""

    id: str
    suite: str
    prompt: str
    replies: tuple[Reply, ...]
    category: str = NO_LABEL
    complexity: str = NO_LABEL
    length: str = NO_LABEL
    fate: str = ""


def link(**facets: str | Sequence[str]) -> str:
    """Return the link to the samples that have these facets; of several values of one facet, any of them."""
    return f"#samples?{urlencode({key: value for key, value in facets.items() if value}, doseq=True)}"


def opinion(verdict: Verdict, about: str, choices: Sequence[str] = ()) -> Opinion:
    """Describe a verdict. `choices` are those of its probabilities."""
    reading = verdict.reading
    if isinstance(reading, Failed):
        return Opinion(verdict.judge, about, f"no answer came: {reading.reason}", "")
    if isinstance(reading, Unparsed):
        return Opinion(verdict.judge, about, f"could not be read: {reading.reason}", reading.text, verdict.thoughts)
    if choices and reading.probabilities:
        pairs = zip(choices, reading.probabilities, strict=False)
        return Opinion(verdict.judge, about, ", ".join(f"{one} {p:.2f}" for one, p in pairs), reading.text)
    return Opinion(verdict.judge, about, f"{reading.value:.4g}", reading.text, verdict.thoughts)


def flags(found: Iterable[InjectionFlag], answer_id: str) -> tuple[tuple[int, int, str], ...]:
    """Return the places of an answer that hold a prompt injection, each once."""
    return tuple(sorted({(one.start, one.end, one.kind) for one in found if one.answer_id == answer_id}))


@dataclass
class Pool:
    """Texts by number, each once."""

    numbers: dict[str, int] = field(default_factory=dict)

    def __call__(self, text: str) -> int:
        """Return the number of a text."""
        return self.numbers.setdefault(text, len(self.numbers))


def pack(samples: Sequence[Sample]) -> str:
    """Return all samples as base64 of gzip of JSON. Offsets are those of JavaScript, in UTF-16 units."""
    pool = Pool()
    data = {"samples": [_packed(one, pool) for one in samples], "texts": list(pool.numbers)}
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return b64encode(gzip.compress(text.encode("utf-8", "replace"), 9, mtime=0)).decode("ascii")


def _packed(sample: Sample, pool: Pool) -> dict[str, Any]:
    return {
        "id": sample.id,
        "suite": sample.suite,
        "prompt": pool(sample.prompt),
        "category": sample.category,
        "complexity": sample.complexity,
        "length": sample.length,
        "fate": sample.fate,
        "replies": [_reply(one, pool) for one in sample.replies],
    }


def _reply(reply: Reply, pool: Pool) -> dict[str, Any]:
    found: dict[str, Any] = {"by": reply.by, "text": pool(reply.text)}
    if reply.note:
        found["note"] = reply.note
    found["marks"] = [{key: value for key, value in vars(one).items() if value} for one in reply.marks]
    if reply.thoughts:
        found["thoughts"] = pool(reply.thoughts)
    found["opinions"] = [
        [
            *(pool(one.by), pool(one.about), pool(one.reading), pool(one.text)),
            *([pool(one.thoughts)] if one.thoughts else []),
        ]
        for one in reply.opinions
    ]
    if reply.flags:
        found["flags"] = [
            [_utf16(reply.text[:start]), _utf16(reply.text[:end]), kind] for start, end, kind in reply.flags
        ]
    return found


def _utf16(text: str) -> int:
    return len(text.encode("utf-16-le", "replace")) // 2
