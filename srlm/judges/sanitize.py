"""Sanitisation of untrusted text for a judge's prompt: the text cannot pose as the judge, the user or the template.

Tags of the template are escaped. Chat-role markers ("<|im_start|>", "[INST]", "Human:") are broken up by a space, for
every engine, because a server may parse them within a message too; so are the tags of reasoning and tool calls. Letters
that look like Latin ones count as these. Invisible characters in Latin text are removed. A very long repetition is cut,
because it would fill the judge's context; a mark gives the number of characters left out. All else stays as written.
"""

import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache

import numpy as np

RUN = 4000
"""Minimum length of a repetition in characters: shorter ones are rules of a table, or a small model's stammer."""
PERIOD = 250
"""Maximum length of the repeated piece."""
SHOWN = 2 * PERIOD
"""Characters of a repetition that the judge sees."""

ROLE_TOKEN = re.compile(
    r"<[|\uff5c][^|\uff5c<>\n]{1,40}[|\uff5c]>|\[/?(?:INST|SYSTEM_PROMPT|TOOL_CALLS|TOOL_RESULTS)\]|<</?SYS>>"
    r"|</?s>|<(?:bos|eos)>|<(?:start|end)_of_turn>"
    r"|</?(?:antml:|seed:)?(?:think|thinking|thoughts?|reasoning|reflection|analysis|scratchpad|tool_calls?|tool_response"
    r"|tool_result|function_calls?)[ \t]{0,8}>|\[/?THINK\]",
    re.IGNORECASE,
)
"""Special tokens of chat templates that open and close a turn, reasoning, or a tool call."""

_BLANKS = " \t\xa0\u061c\u115f\u1160\u1680\u2000-\u200f\u202f\u205f\u2800\u3000\u3164\ufeff\uffa0"

ROLE_LINE = re.compile(
    rf"^[{_BLANKS}]{{0,8}}"
    rf"(?:(?:#{{1,6}}[{_BLANKS}]{{0,4}})?(?:human|assistant|user|system)"
    rf"|#{{1,6}}[{_BLANKS}]{{0,4}}(?:instruction|input|response))[{_BLANKS}]{{0,4}}[:\uff1a\ufe55]",
    re.IGNORECASE | re.MULTILINE,
)
"""Plain-text role markers, for chat templates without special tokens."""

_JOINERS = "\u00ad\u200c-\u200f\ufe00-\ufe0f"
HIDDEN = re.compile(
    # Marks of writing direction, invisible operators, and letters of the tag block (flags after a black flag).
    r"[\u180e\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufff9-\ufffb]+"
    r"|(?<![\U0001f3f4\U000e0020-\U000e007e])[\U000e0000-\U000e007f]+"
    # Zero-width spaces serve scripts without spaces; joiners serve emoji and scripts that join letters.
    rf"|(?<=[!-~])[\u034f\u200b\ufeff{_JOINERS}]+(?=[!-~])|(?<=[!-~])[\u034f\u200b\ufeff]+"
    # Only from its first character on: else a long run would be scanned again from each character.
    r"|(?<![\u034f\u200b\ufeff])[\u034f\u200b\ufeff]+(?=[!-~])"
)
"""Invisible characters that serve no script and no emoji."""

_INVISIBLE_MARKS = {"\u034f", *"\u115f\u1160\u2800\u3164\uffa0", *(chr(code) for code in range(0xFE00, 0xFE10))}

FULL_WIDTH = {code + 0xFEE0: chr(code) for code in range(0x21, 0x7F)}
"""Full-width letters, digits and signs -> plain ones."""
_LOOKALIKES = str.maketrans(
    "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0455\u0458\u0501\u04bb\u043a\u043c\u0442\u043d"
    "\u0410\u0412\u0415\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0425\u0406\u0405\u0408"
    "\u03bf\u03b1\u03bd\u03c1\u03c5\u0391\u0392\u0395\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a7",
    "aeopcyxisjdhkmthABEKMHOPCTXISJoavpuABEHIKMNOPTX",
)


_READ: dict[int, str | int] = {
    **FULL_WIDTH,
    **_LOOKALIKES,
    **{ord(one): "\n" for one in "\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"},
    **{ord(one): plain for one, plain in zip("\ufe64\ufe65\u25c1\u25b7", "<><>", strict=True)},
}
_OTHERWISE = re.compile(f"[{''.join(map(chr, _READ))}]")
_SEPARATORS = [one for one in map(chr, _READ) if one.isascii()]


def as_read(text: str) -> str:
    """Return the text as a model may read it, with the same number of characters.

    Full-width letters and look-alikes become Latin letters, and each separator becomes the end of a line.
    """
    if text.isascii():  # most texts are, and few ASCII characters are mapped
        return text.translate(_READ) if any(map(text.__contains__, _SEPARATORS)) else text
    return text.translate(_READ) if _OTHERWISE.search(text) else text


@lru_cache(maxsize=64)  # a pair is shown in both orders, one after the other
def sanitize(text: str, tags: frozenset[str]) -> str:
    """Neutralise chat-role markers and the template's tags in untrusted text, in any spelling."""
    unseen = invisible(text)
    if unseen:
        text = HIDDEN.sub("", text)
    text = shorten(text)
    text = _changed(text, ROLE_TOKEN, "<[", lambda found: f"{found[0]} {found[1:]}")
    text = _changed(text, ROLE_LINE, ":\ufe55", lambda found: f"{found[:-1].rstrip()} {found[-1]}")
    if not tags:
        return text
    tag = tag_pattern(tags)
    # A model ignores invisible characters: a tag that appears only without them is escaped too.
    if unseen:
        visible = "".join(character for character in text if character not in unseen)
        if len(tag.findall(as_read(visible))) > len(tag.findall(as_read(text))):
            text = visible
    return _changed(text, tag, "".join(TAG_OPENINGS), lambda found: f"&lt;{found[1:]}")


def _changed(text: str, pattern: re.Pattern[str], signs: str, change: Callable[[str], str]) -> str:
    """Change each piece of the text that matches as a model reads it.

    Every match contains one of the `signs`. Most texts have none, and a search for them first is much faster.
    """
    read = as_read(text)
    found = list(pattern.finditer(read)) if any(map(read.__contains__, signs)) else []
    if not found:
        return text
    pieces: list[str] = []
    done = 0
    for match in found:
        pieces += [text[done : match.start()], change(text[match.start() : match.end()])]
        done = match.end()
    return "".join([*pieces, text[done:]])


TAG_OPENINGS = ("<", "\uff1c", "\ufe64")
"""Characters that may open a tag."""


@lru_cache(maxsize=64)
def tag_pattern(tags: frozenset[str]) -> re.Pattern[str]:
    """Return a pattern of any of the tags, opened or closed, with any blanks and slashes before its name."""
    names = "|".join(sorted(map(re.escape, tags)))
    return re.compile(rf"[{''.join(TAG_OPENINGS)}][\s/\\]*(?:{names})\b[^<>\uff1c\ufe64\n]{{0,60}}>?", re.IGNORECASE)


def invisible(text: str) -> set[str]:
    """Return the invisible characters of a text."""
    if text.isascii():
        return set()
    return {one for one in set(text) if unicodedata.category(one) == "Cf" or one in _INVISIBLE_MARKS}


def shorten(text: str) -> str:
    """Cut each very long repetition to its beginning, with a mark in place of the rest."""
    pieces: list[str] = []
    done = 0
    for start, end in runs(text):
        left_out = end - start - SHOWN
        pieces += [text[done : start + SHOWN], f" [{left_out} more characters that repeat this are left out] "]
        done = end
    return "".join([*pieces, text[done:]])


def runs(text: str) -> list[tuple[int, int]]:
    """Return the spans of at least `RUN` characters that repeat a piece of at most `PERIOD`; takes linear time."""
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
