"""The material of the sentence task: plain sentences of srlm's own seed data, and their content words."""

import json
import re
from functools import cache
from importlib.resources import files

SHORTEST, LONGEST = 9, 24
"""Words of a seed sentence that serves."""

COMMON = "common_words.txt"
"""Function words and other words that fit into any sentence: they are not asked for."""

_END = re.compile(r"(?<=[.!?])\s+")
_PLAIN = re.compile(r"[A-Z][a-zA-Z,' -]*[.]")
_TOKEN = re.compile(r"[a-z]+(?:'[a-z]+)?")


def tokens_of(text: str) -> list[str]:
    """Return the words of a text in lower case; an apostrophe's ending ('s) is not part of a word."""
    return [token.split("'")[0] for token in _TOKEN.findall(text.lower().replace("\u2019", "'"))]


@cache
def _common() -> frozenset[str]:
    return frozenset((files("srlm.sentences") / COMMON).read_text(encoding="utf-8").split())


@cache
def seed_sentences() -> tuple[str, ...]:
    """Return the plain sentences of the embedded seed data: 9 to 24 words, letters and commas only, each once."""
    found: dict[str, None] = {}
    for name in ("ift.jsonl", "eft.jsonl"):
        for line in (files("srlm.data") / name).read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            for text in [row["response"]] if "response" in row else [answer["text"] for answer in row["answers"]]:
                for piece in _END.split(text.replace("\n", "  ")):
                    if _PLAIN.fullmatch(piece) and SHORTEST <= len(tokens_of(piece)) <= LONGEST:
                        found[piece] = None
    return tuple(found)


@cache
def content_words(sentence: str) -> tuple[str, ...]:
    """Return the content words of a sentence, each once: 4 to 9 letters, no function word, no -ly, -ing or -ed form."""
    body = sentence.partition(" ")[2]  # the first word has a capital, as a name has
    names = {word.lower() for word in re.findall(r"\b[A-Z][a-z]*", body)}
    found = dict.fromkeys(
        token
        for token in re.findall(r"(?<![\w'-])[a-z]{4,9}(?![\w'-])", body)
        if token not in _common() and token not in names and not token.endswith(("ly", "ing", "ed"))
    )
    return tuple(found)
