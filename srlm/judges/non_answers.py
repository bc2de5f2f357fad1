"""Answers that answer nothing: a lone mark of punctuation, or the words with which an answer begins.

Judges that are models take ":" or "Let's solve this problem step by step." for a right answer surprisingly often (Zhao
et al. 2025, arXiv 2507.08794, who call them master keys). Whoever writes nothing else is not talking to a reader.
"""

import re
import unicodedata
from functools import lru_cache
from importlib.resources import files

LONGEST = 160
"""Characters of such an answer at the most."""
MARKS = 20
"""Characters of punctuation alone at the most: more of them are a rule, or art."""

_THING = (
    r"(?:complete |final |correct |full |detailed |step[ -]by[ -]step )?"
    r"(?:answer|solution|explanation|reasoning|response|thought process|thoughts?|analysis|proof|conclusion|result)s?"
)
_TASK = r"(?:this|the|your|it|that)(?: (?:given|following))?(?: (?:problem|question|task|exercise|equation|issue))?"
_HOW = r"(?:,? ?(?:step[ -]by[ -]step|one step at a time|carefully|logically|together|in detail|first|now))*"
_START = (
    r"(?:let s|let us|let me|lets|i will|i ll|we will|we can|we need to|i need to|i am going to)"
    r"(?: now| first| begin by| start by)?"
)
_DO = r"(?:solv(?:e|ing)|think|work|go|break|tackl(?:e|ing)|approach|reason|analy[sz](?:e|ing)|explain|figure|answer)"
_WHERE = r"(?: about| through| out| over| down)?"
_BEGUN = (
    rf"(?:(?:now|so|first)[ ,]*)?{_START} {_DO}{_WHERE}(?: {_TASK})?{_WHERE}{_HOW}",
    rf"to (?:solve|answer|approach|find) {_TASK}{_HOW}"
    rf"(?:,? (?:we|i) (?:will|can|need to|must) (?:proceed|begin|start|think){_HOW})?",
    rf"(?:(?:here is|here s|here are|this is|below is) )?(?:the |my |a |your )?{_THING}"
    r"(?: is| is as follows| as follows| below)?",
)
_ENGLISH = re.compile(
    rf"(?:(?:sure|certainly|of course|ok|okay|alright|absolutely|great question|well)[ ,]*)?(?:{'|'.join(_BEGUN)})",
    re.IGNORECASE,
)
"""How answers begin, in English and without punctuation."""


_ASCII = {code: " " for code in range(128) if unicodedata.category(chr(code))[0] in "PZCS"}
"""The same as below for plain text, where it takes a tenth of the time."""


@lru_cache(maxsize=1)
def _elsewhere() -> frozenset[str]:
    """The same in other languages, without blanks and marks."""
    lines = files("srlm.judges").joinpath("non_answers.txt").read_text(encoding="utf-8").splitlines()
    return frozenset("".join(_words(line)).casefold() for line in lines)


def _words(text: str) -> list[str]:
    """The words of a text, without punctuation."""
    if text.isascii():
        return text.translate(_ASCII).split()
    return "".join(" " if unicodedata.category(one)[0] in "PZCS" else one for one in text).split()


def is_opener(text: str) -> bool:
    """Whether a text is nothing but the beginning of an answer, or punctuation. An empty one is not: it is empty."""
    if not text or len(text) > LONGEST:
        return False
    words = _words(text)
    if not words:
        return len(text) <= MARKS and all(unicodedata.category(one)[0] in "PZC" for one in text)
    if "".join(words).casefold() in _elsewhere():
        return True
    return _ENGLISH.fullmatch(" ".join(words)) is not None
