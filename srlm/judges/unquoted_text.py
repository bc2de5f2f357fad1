"""The judge's own words in its reply: its lines without quotations, code and invisible characters.

Only these may contain the verdict. Text that may be the candidate's counts as quoted: lines after ">", indented lines,
code blocks (an unclosed one reaches to the end), and text between quotation marks over several lines. Only line breaks
that a person sees end a line: Python's other separators (U+2028, U+0085, a vertical tab and others) are blanks here, so
that a quotation that contains one does not end at it.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from srlm.judges.sanitize import FULL_WIDTH, invisible

_SEPARATORS = {ord(one): " " for one in "\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"}
_EMPHASIS = re.compile(r"[*_`]")
_HEADING = re.compile(r"^ ?#{1,6} ")
_CODE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)")
_TAG = re.compile(
    r"\s*<((?:response|instruction|blockquote|quote|pre|code|candidate|(?:answer|question|reference)_\w+"
    r"|(?:system|user|assistant|last)_message))>\s*"
)
"""A line with only a tag: the beginning of text that a judge copies from its prompt."""
_QUOTED = re.compile(r" {0,3}>| {4}|\t")
_ITEM = re.compile(r"^ {0,3}(?:[-+*\u2022]|[0-9]{1,3}[.)])[ \t]+")
_END = re.compile(r"(?: ?(?:</s>|<\|[a-z_\u2581]{1,24}\|>|<(?:eos|end_of_turn)>))+$", re.IGNORECASE)

_BEGUN = re.compile(
    r"(?:[:,]|\b(?:says?|said|writes?|wrote|states?|claims?|reads|asks?|with|contains)) ?[\"\u201c\u201e\u00ab\u300c]"
    r"[^\"\u201c\u201d\u201e\u00ab\u00bb\u300c\u300d]*$",
    re.IGNORECASE,
)
"""An opening quotation mark that is not closed in its paragraph: 'It says: "do as I say:'."""
_MARKS = (("\u201c\u201e", "\u201d"), ("\u00ab", "\u00bb"), ("\u300c", "\u300d"))
_CLOSING = "\"'\u201d\u2019\u00bb\u300d"


@dataclass(frozen=True)
class Line:
    """A line of a reply without invisible characters. `quoted`: it is a quotation or code, perhaps the candidate's."""

    text: str
    quoted: bool

    @property
    def partial(self) -> bool:
        """True for a list item that begins with "score": it may be the score for one criterion of several."""
        return _ITEM.match(self.text) is not None and self.plain.lower().startswith("score")

    @property
    def plain(self) -> str:
        """The words without marks of lists, headings, emphasis and the end of a turn, with single blanks."""
        # Without markup and runs of blanks the patterns need no backtracking.
        words = _ITEM.sub("", without_end(self.text), count=1)
        return _HEADING.sub("", " ".join(_EMPHASIS.sub(" ", words).split()))


def without_end(text: str) -> str:
    """Remove the end-of-turn tokens that a server may have left in the text."""
    return _END.sub("", text.rstrip())


def lines_of(text: str) -> list[Line]:
    """Return the lines of a reply; those of code blocks and quotations are marked as quoted."""
    unseen = invisible(text)
    text = text.replace("\r\n", "\n")
    # If other lines end with \n, a lone \r is no line break: it may be part of quoted text.
    text = text.replace("\r", " " if "\n" in text else "\n")
    lines = ["".join(one for one in line if one not in unseen) for line in plain_signs(text).split("\n")]
    coded = _coded(lines)
    return [Line(line, number in coded or _QUOTED.match(line) is not None) for number, line in enumerate(lines)]


def plain_signs(text: str) -> str:
    """Replace separators by blanks, and full-width letters and decimal digits of any script by ASCII ones."""
    if text.isascii():
        return text.translate(_SEPARATORS)
    found = text.translate(FULL_WIDTH | _SEPARATORS)
    digits = {ord(one): str(unicodedata.decimal(one)) for one in set(found) if one.isdecimal() and not one.isascii()}
    return found.translate(digits)


def _coded(lines: Sequence[str]) -> set[int]:
    """Return the numbers of the lines in code blocks or between tags of the judge's prompt."""
    found: set[int] = set()
    marker = tag = ""
    for number, line in enumerate(lines):
        match = _CODE.match(line)
        if tag:
            found.add(number)
            tag = "" if f"</{tag}>" in line else tag
        elif not marker and (opened := _TAG.fullmatch(line)):
            found.add(number)
            tag = opened[1]
        elif marker:
            found.add(number)
            if match and match[1].startswith(marker) and not match[2].strip():
                marker = ""
        elif match:
            found.add(number)
            if "`" not in match[2]:  # else it is inline code: ```so```
                marker = match[1]
    return found


def inside_quotation(lines: Sequence[Line], number: int) -> bool:
    """Return True if a quotation opens above a line and closes below it."""
    above = [line.text for line in lines[:number] if not line.quoted]
    below = "\n".join(line.text for line in lines[number + 1 :] if not line.quoted)
    if below.lstrip()[:1] in set(_CLOSING):
        return True
    before = "\n".join(above)
    if before.count('"') % 2 and '"' in below:
        return True
    for opening, closing in _MARKS:
        if sum(map(before.count, opening)) > before.count(closing) and closing in below:
            return True
    blank = next((place for place in range(len(above) - 1, -1, -1) if not above[place].strip()), -1)
    return _BEGUN.search(" ".join(" ".join(above[blank + 1 :]).split())) is not None


def mid_sentence(after: Sequence[Line]) -> bool:
    """Return True if the text after a score continues its sentence, so that the score may not be the verdict."""
    first = next((line.plain for line in after if line.plain), "")
    return first[:1].islower() or first[:1] in {",", ";"}
