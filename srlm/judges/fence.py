"""Hostile text made harmless for a prompt: shown to the judge as what it is, unable to pose as the judge or the user.

A candidate cannot open or close a tag of the template, and markers of a turn ("<|im_start|>", "[INST]", "Human:") are
broken up by a space, for every engine, because a server may read them inside of a message too. Characters that hide in
Latin text are left out, and so is most of a very long repetition, which would fill the judge's context: a mark says how
much. Everything else stays as the candidate wrote it.
"""

import re
import unicodedata
from functools import lru_cache

import numpy as np

RUN = 4000
"""Characters from which on a repetition is one: shorter ones are rules of a table, or a small model's stammer."""
PERIOD = 250
"""The longest piece whose repetition is looked for."""
SHOWN = 2 * PERIOD
"""Characters of a run that the judge sees."""

ROLE_TOKEN = re.compile(
    r"<[|\uff5c][^|\uff5c<>\n]{1,40}[|\uff5c]>|\[/?(?:INST|SYSTEM_PROMPT|TOOL_CALLS|TOOL_RESULTS)\]|<</?SYS>>"
    r"|</?s>|<(?:bos|eos)>|<(?:start|end)_of_turn>",
    re.IGNORECASE,
)
"""Special tokens by which chat templates open and close a turn."""

ROLE_LINE = re.compile(
    r"^[ \t]{0,8}(?:(?:#{1,6}[ \t]{0,4})?(?:human|assistant|user|system)"
    r"|#{1,6}[ \t]{0,4}(?:instruction|input|response))[ \t]{0,4}:",
    re.IGNORECASE | re.MULTILINE,
)
"""Plain words that open a turn in templates without special tokens."""

_JOINERS = "\u00ad\u200c-\u200f\ufe00-\ufe0f"
HIDDEN = re.compile(
    # Orders of direction, invisible operators, and letters of the tag block, which spell flags after a black flag.
    r"[\u180e\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufff9-\ufffb]+"
    r"|(?<![\U0001f3f4\U000e0020-\U000e007e])[\U000e0000-\U000e007f]+"
    # Blanks without width serve scripts that write no spaces; joiners serve emoji and scripts that join letters.
    rf"|(?<=[!-~])[\u034f\u200b\ufeff{_JOINERS}]+(?=[!-~])|(?<=[!-~])[\u034f\u200b\ufeff]+"
    r"|[\u034f\u200b\ufeff]+(?=[!-~])"
)
"""Characters that cannot be seen, where they serve no script and no emoji."""

_INVISIBLE_MARKS = {"\u034f", *(chr(code) for code in range(0xFE00, 0xFE10))}


@lru_cache(maxsize=64)  # a pair is shown in both orders, one after the other
def fence(text: str, tags: frozenset[str]) -> str:
    """Text as data: it opens and closes no turn and none of the template's tags, however it spells them."""
    unseen = invisible(text)
    if unseen:
        text = HIDDEN.sub("", text)
    text = shorten(text)
    text = ROLE_TOKEN.sub(lambda match: f"{match[0][0]} {match[0][1:]}", text)
    text = ROLE_LINE.sub(lambda match: f"{match[0][:-1].rstrip()} :", text)
    if not tags:
        return text
    tag = tag_pattern(tags)
    # A model reads past characters that cannot be seen: a tag that is one only without them is fenced too.
    if unseen:
        visible = "".join(character for character in text if character not in unseen)
        if len(tag.findall(visible)) > len(tag.findall(text)):
            text = visible
    return tag.sub(lambda match: f"&lt;{match[0][1:]}", text)


TAG_OPENINGS = ("<", "\uff1c", "\ufe64")
"""How a tag may open."""


@lru_cache(maxsize=64)
def tag_pattern(tags: frozenset[str]) -> re.Pattern[str]:
    """One of the tags, opened or closed, whatever blanks and slashes stand before its name."""
    names = "|".join(sorted(map(re.escape, tags)))
    return re.compile(rf"[{''.join(TAG_OPENINGS)}][\s/\\]*(?:{names})\b[^<>\uff1c\ufe64\n]{{0,60}}>?", re.IGNORECASE)


def invisible(text: str) -> set[str]:
    """The characters of a text that leave no trace on paper."""
    if text.isascii():
        return set()
    return {one for one in set(text) if unicodedata.category(one) == "Cf" or one in _INVISIBLE_MARKS}


def shorten(text: str) -> str:
    """Text with each very long repetition cut to its beginning, and a mark in place of the rest."""
    pieces: list[str] = []
    done = 0
    for start, end in runs(text):
        left_out = end - start - SHOWN
        pieces += [text[done : start + SHOWN], f" [{left_out} more characters that repeat this are left out] "]
        done = end
    return "".join([*pieces, text[done:]])


def runs(text: str) -> list[tuple[int, int]]:
    """The spans of at least `RUN` characters that repeat one piece of at most `PERIOD`; in time linear in the text."""
    if len(text) < RUN:
        return []
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
    spans: list[tuple[int, int]] = []
    for period in range(1, PERIOD + 1):
        same = codes[period:] == codes[:-period]
        if np.count_nonzero(same) < RUN - period:
            continue
        edges = np.flatnonzero(np.diff(np.concatenate(([False], same, [False]))))
        starts, ends = edges[::2], edges[1::2]
        long = ends - starts >= RUN - period
        spans += zip(starts[long].tolist(), (ends[long] + period).tolist(), strict=True)
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
