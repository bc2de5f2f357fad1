"""Packing of the samples into the page: JSON, compressed, in base64, with each text once.

The page's script unpacks them. What a model wrote is data on the way there and back, and never markup.
"""

import gzip
import json
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from evals.sample import OutcomeTag, Reply, Sample


@dataclass
class TextPool:
    """Numbers of texts; each text has one."""

    numbers: dict[str, int] = field(default_factory=dict)

    def number(self, text: str) -> int:
        """Return the number of a text, a new one if it has none."""
        return self.numbers.setdefault(text, len(self.numbers))


def pack(samples: Sequence[Sample]) -> str:
    """Return all samples as base64 of gzip of JSON. Offsets in texts are in units of UTF-16, as in JavaScript."""
    pool = TextPool()
    data = {"samples": [_sample(one, pool) for one in samples], "texts": list(pool.numbers)}
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return b64encode(gzip.compress(text.encode("utf-8", "replace"), 9, mtime=0)).decode("ascii")


def _sample(sample: Sample, pool: TextPool) -> dict[str, Any]:
    return {
        "id": sample.id,
        "suite": sample.suite,
        "prompt": pool.number(sample.prompt),
        "category": sample.category,
        "complexity": sample.complexity,
        "length": sample.length,
        "selection": sample.selection,
        "replies": [_reply(one, pool) for one in sample.replies],
    }


def _reply(reply: Reply, pool: TextPool) -> dict[str, Any]:
    found: dict[str, Any] = {"by": reply.by, "text": pool.number(reply.text)}
    if reply.note:
        found["note"] = reply.note
    found["tags"] = [_tag(one) for one in reply.tags]
    if reply.thoughts:
        found["thoughts"] = pool.number(reply.thoughts)
    found["judgements"] = [
        [
            *(pool.number(text) for text in (one.by, one.about, one.result, one.text)),
            *([pool.number(one.thoughts)] if one.thoughts else []),
        ]
        for one in reply.judgements
    ]
    if reply.flags:
        found["flags"] = [
            [_utf16(reply.text[:start]), _utf16(reply.text[:end]), kind] for start, end, kind in reply.flags
        ]
    return found


def _tag(tag: OutcomeTag) -> dict[str, Any]:
    return {key: value for key, value in vars(tag).items() if value}


def _utf16(text: str) -> int:
    """Return the length of a text in units of UTF-16."""
    return len(text.encode("utf-16-le", "replace")) // 2
