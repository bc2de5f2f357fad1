"""Detection of answers without content: punctuation only, or only the words with which an answer begins.

LLM judges often score ":" or "Let's solve this problem step by step." as a correct answer (Zhao et al. 2025, arXiv
2507.08794, who call them master keys).
"""

import re
import unicodedata
from functools import lru_cache
from importlib.resources import files

LONGEST = 160
"""Maximum length of such an answer in characters."""
MARKS = 20
"""Maximum number of characters of punctuation: more of them are a rule, or art."""

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
    rf"(?:(?:sure|certain(?:ly)|of course|ok|okay|alright|absolutely|great question|well)[ ,]*)?(?:{'|'.join(_BEGUN)})",
    re.IGNORECASE,
)
"""Beginnings of answers, in English and without punctuation."""


_ASCII = {code: " " for code in range(128) if unicodedata.category(chr(code))[0] in "PZCS"}
"""Punctuation of ASCII text -> blanks, which takes a tenth of the time of the general case below."""


@lru_cache(maxsize=1)
def _elsewhere() -> frozenset[str]:
    """Load beginnings of answers in other languages, without blanks and punctuation."""
    lines = files("srlm.judges").joinpath("opening_phrases.txt").read_text(encoding="utf-8").splitlines()
    return frozenset("".join(_words(line)).casefold() for line in lines)


def _words(text: str) -> list[str]:
    """Split a text into words, without punctuation."""
    if text.isascii():
        return text.translate(_ASCII).split()
    return "".join(" " if unicodedata.category(one)[0] in "PZCS" else one for one in text).split()


def is_opener(text: str) -> bool:
    """Return True if a text is only the beginning of an answer, or punctuation. An empty text is neither."""
    if not text or len(text) > LONGEST:
        return False
    words = _words(text)
    if not words:
        return len(text) <= MARKS and all(unicodedata.category(one)[0] in "PZC" for one in text)
    if "".join(words).casefold() in _elsewhere():
        return True
    return _ENGLISH.fullmatch(" ".join(words)) is not None
