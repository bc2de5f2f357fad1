"""A score out of a judge's own words, or the reason why there is none.

Only the judge's reply is ever read, never the text that it judged. The reply must end by itself. Its last line that
begins with "Score:" counts, or its last "Rating: [[7]]"; a value inside a sentence, a quotation or a code block may be
the candidate's and does not. A value that is off the scale, or that comes as a choice ("4 or 5", "3-4"), is refused,
and so is one after which the judge speaks of scores again. Nothing is guessed: what cannot be read is `Unparsed`.
"""

import re
from dataclasses import dataclass

from srlm.judges.fence import invisible
from srlm.judges.rubric import POINTS, Scale
from srlm.types import Completion, Scored, Unparsed

_EMPHASIS = re.compile(r"[*_`]")
_HEADING = re.compile(r"^ ?#{1,6} ")
_CODE = re.compile(r" {0,3}(?:```|~~~)")
_QUOTED = re.compile(r" {0,3}>| {4}|\t")
_ITEM = re.compile(r"^ {0,3}(?:[-+*\u2022]|[0-9]{1,3}[.)])[ \t]+")

_NUMBER = r"[+-]?[0-9]+(?:[.,][0-9]+)?"
_LABEL = re.compile(r"(?:(?:final|total|overall) )?score ?[:\uff1a=] ?", re.IGNORECASE)
_BRACKETED = re.compile(rf"\[ ?({_NUMBER}) ?\]|< ?({_NUMBER}) ?>|\( ?({_NUMBER}) ?\)")
_VALUE = re.compile(
    rf"(?P<value>{_NUMBER})(?: ?\(? ?(?:/|out of) ?(?P<scale>[0-9]+(?:\.[0-9]+)?) ?\)?)?(?: ?points?)? ?[.!]?",
    re.IGNORECASE,
)
_SCORE_AGAIN = re.compile(r"scor|rating|\bgrade|\bpoint|\btotal\b|\bout of\b|/ ?[0-9]", re.IGNORECASE)

_RATING = re.compile(r"\[\[ ?([+-]?[0-9]+(?:\.[0-9]+)?) ?\]\]")
_RATING_LABEL = re.compile(
    r"(?:^|[.!?)][\"'\u201d]? )\[{0,2}(?:(?:final|overall) )?rating ?\]{0,2} ?[:\uff1a] ?$", re.IGNORECASE
)
_RATING_AGAIN = re.compile(r"\b(?:rating|score)\W{0,6}[0-9]", re.IGNORECASE)


@dataclass(frozen=True)
class _Line:
    """A line of a reply without what cannot be seen. `quoted`: it is a quotation or code, perhaps the candidate's."""

    text: str
    quoted: bool

    @property
    def partial(self) -> bool:
        """Whether it is an item of a list that is not called the total: perhaps the score for one point of several."""
        return _ITEM.match(self.text) is not None and self.plain.lower().startswith("score")

    @property
    def plain(self) -> str:
        """Its words without marks of lists, headings and emphasis, and with single blanks."""
        # Markup and runs of blanks go first: the patterns then have nothing to backtrack over.
        return _HEADING.sub("", " ".join(_EMPHASIS.sub(" ", _ITEM.sub("", self.text, count=1)).split()))


def read_score(reply: Completion, scale: Scale = POINTS) -> Scored | Unparsed:
    """Read the verdict of a pointwise judge (arXiv 2401.10020, Figure 2: "Score: <total points>")."""
    text = reply.text
    if reply.finish == "length":
        return Unparsed(text, "the reply was cut before its end")
    lines = _lines(text)
    found = [(number, rest) for number, line in enumerate(lines) if (rest := _labelled(line)) is not None]
    if not found:
        return Unparsed(text, "no score line")
    number, rest = found[-1]
    if lines[number].partial and sum(lines[other].partial for other, _ in found) > 1:
        return Unparsed(text, "the last score line is one of a list")
    if any(_SCORE_AGAIN.search(line.text) for line in lines[number + 1 :]):
        return Unparsed(text, "after its score line the reply speaks of scores again")
    if _mid_sentence(lines[number + 1 :]):
        return Unparsed(text, "after its score line the reply goes on in the same sentence")
    match = _VALUE.fullmatch(_unwrapped(rest))
    if match is None:
        return Unparsed(text, "the score line holds no single number")
    value = float(match["value"].replace(",", "."))
    if match["scale"] is not None and float(match["scale"]) != scale.highest:
        return Unparsed(text, f"the score is given out of {match['scale']}, not {scale.highest}")
    if not scale.lowest <= value <= scale.highest:
        return Unparsed(text, f"the score {match['value']} is not between {scale.lowest} and {scale.highest}")
    if value != int(value):
        return Unparsed(text, f"the score {match['value']} is no whole number of points")
    return Scored(value, text)


def read_rating(reply: Completion, scale: Scale) -> Scored | Unparsed:
    """Read the verdict of a grading judge, "Rating: [[7]]" as in MT-Bench (arXiv 2306.05685); half points are allowed.

    It stands at the end of a line, after its label or alone.
    """
    text = reply.text
    if reply.finish == "length":
        return Unparsed(text, "the reply was cut before its end")
    lines = _lines(text)
    found = [(number, rating) for number, line in enumerate(lines) if (rating := _rated(line)) is not None]
    if not found:
        return Unparsed(text, "no rating of the form [[number]] at the end of a line, after its label or alone")
    number, rating = found[-1]
    value = float(rating)
    rest = lines[number + 1 :]
    if any(float(other) != value for line in rest for other in _RATING.findall(line.text)):
        return Unparsed(text, f"after the rating {rating} the reply names another one")
    if any(_RATING_AGAIN.search(_RATING.sub("", line.plain)) for line in rest):
        return Unparsed(text, f"after the rating {rating} the reply speaks of ratings again")
    if _mid_sentence(rest):
        return Unparsed(text, "after its rating the reply goes on in the same sentence")
    if not scale.lowest <= value <= scale.highest:
        return Unparsed(text, f"the rating {rating} is not between {scale.lowest} and {scale.highest}")
    return Scored(value, text)


def _lines(text: str) -> list[_Line]:
    """A reply's lines; those of a code block that is closed are quoted, and those that a quotation begins."""
    unseen = invisible(text)
    lines = ["".join(one for one in line if one not in unseen) for line in text.splitlines()]
    fences = [number for number, line in enumerate(lines) if _CODE.match(line)]
    blocks = list(zip(fences[::2], fences[1::2], strict=False))
    coded = {number for start, end in blocks for number in range(start, end + 1)}
    return [_Line(line, number in coded or _QUOTED.match(line) is not None) for number, line in enumerate(lines)]


def _labelled(line: _Line) -> str | None:
    """What a score line holds after its label; None when it is none."""
    plain = "" if line.quoted else _unwrapped(line.plain)
    label = _LABEL.match(plain)
    return plain[label.end() :] if label else None


def _unwrapped(text: str) -> str:
    """Text without brackets around the whole or around a number."""
    text = text.strip()
    while len(text) > 1 and text[0] + text[-1] in {"[]", "<>", "()"}:
        text = text[1:-1].strip()
    return _BRACKETED.sub(lambda match: match[1] or match[2] or match[3], text)


def _rated(line: _Line) -> str | None:
    """The rating with which a line ends; None where there is none, or two that differ."""
    plain = "" if line.quoted else line.plain
    matches = list(_RATING.finditer(plain))
    if not matches or len({float(match[1]) for match in matches}) > 1:
        return None
    head, tail = plain[: matches[-1].start()], plain[matches[-1].end() :]
    if tail.strip(" .!]") or (head.strip(" [") and not _RATING_LABEL.search(head)):
        return None
    return str(matches[-1][1])


def _mid_sentence(after: list[_Line]) -> bool:
    """Whether what follows goes on with the sentence before, so that the score belongs to it."""
    first = next((line.plain for line in after if line.plain), "")
    return first[:1].islower() or first[:1] in {",", ";"}


def read_choice(reply: Completion, choices: tuple[str, ...]) -> Scored | Unparsed:
    """Read a verdict between two: the value is the probability, or the plain vote, for the first choice."""
    if reply.probabilities is not None:
        return Scored(reply.probabilities[0], reply.text, reply.probabilities)
    word = reply.text.strip().strip("*_.:()[]\"'").upper()
    if word in choices:
        return Scored(1.0 if word == choices[0] else 0.0, reply.text)
    return Unparsed(reply.text, f"neither {choices[0]} nor {choices[1]} alone")
