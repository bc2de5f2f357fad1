"""A score out of a judge's own words, or the reason why there is none.

Only the judge's reply is ever read, never the text that it judged. The reply must end by itself; the last line that
begins with "Score:" counts (one inside a sentence may be a quotation); a value that is no whole number of the scale, or
that comes as a choice ("4 or 5", "3-4"), is refused. Nothing is guessed: what cannot be read is `Unparsed`.
"""

import re

from srlm.types import Completion, Scored, Unparsed

LOWEST, HIGHEST = 0, 5

_MARKUP = re.compile(r"[*_`#>\[\]()<]")
_LABEL = re.compile(r"(?:(?:[-+\u2022]|\d+[.)]) ?)?(?:(?:final|total|overall) )?score ?[:\uff1a=] ?", re.IGNORECASE)
_VALUE = re.compile(
    r"(?P<value>[+-]?\d+(?:[.,]\d+)?)(?: ?(?:/|out of) ?(?P<scale>\d+(?:\.\d+)?))?(?: ?points?)? ?[.!]?", re.IGNORECASE
)


def read_score(reply: Completion) -> Scored | Unparsed:
    """Read the verdict of a pointwise judge on the scale 0-5 (arXiv 2401.10020, Figure 2: "Score: <total points>")."""
    text = reply.text
    if reply.finish == "length":
        return Unparsed(text, "the reply was cut before its end")
    # Markup and runs of blanks go first: the patterns then have nothing to backtrack over.
    lines = [" ".join(_MARKUP.sub(" ", line).split()) for line in text.splitlines()]
    scores = [line[label.end() :] for line in lines if (label := _LABEL.match(line))]
    if not scores:
        return Unparsed(text, "no score line")
    match = _VALUE.fullmatch(scores[-1])
    if match is None:
        return Unparsed(text, "the score line holds no single number")
    value = float(match["value"].replace(",", "."))
    if match["scale"] is not None and float(match["scale"]) != HIGHEST:
        return Unparsed(text, f"the score is given out of {match['scale']}, not {HIGHEST}")
    if not LOWEST <= value <= HIGHEST:
        return Unparsed(text, f"the score {match['value']} is not between {LOWEST} and {HIGHEST}")
    if value != int(value):
        return Unparsed(text, f"the score {match['value']} is no whole number of points")
    return Scored(value, text)


def read_choice(reply: Completion, choices: tuple[str, ...]) -> Scored | Unparsed:
    """Read a verdict between two: the value is the probability, or the plain vote, for the first choice."""
    if reply.probabilities is not None:
        return Scored(reply.probabilities[0], reply.text, reply.probabilities)
    word = reply.text.strip().strip("*_.:()[]\"'").upper()
    if word in choices:
        return Scored(1.0 if word == choices[0] else 0.0, reply.text)
    return Unparsed(reply.text, f"neither {choices[0]} nor {choices[1]} alone")
