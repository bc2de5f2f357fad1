"""A score out of a judge's own words, or the reason why there is none.

Only the judge's reply is ever read, never the text that it judged. The reply must end by itself; the last "Score: N"
in it counts; a value that is no whole number of the scale, or that comes as a choice ("4 or 5", "3-4"), is refused.
Nothing is guessed: what cannot be read is `Unparsed`.
"""

import re

from srlm.types import Completion, Scored, Unparsed

LOWEST, HIGHEST = 0, 5

_LABEL = re.compile(r"\bscore\b\s*[*_]*\s*[::=]\s*", re.IGNORECASE)
_VALUE = re.compile(
    r"[*_\[(<]*\s*(?P<value>[+-]?\d+(?:[.,]\d+)?)\s*[*_\])>]*"
    r"(?:\s*(?:/|out of)\s*(?P<scale>\d+(?:\.\d+)?))?\s*[*_\])>]*\s*(?:points?)?\s*[.!*_]*\s*$",
    re.IGNORECASE,
)


def read_score(reply: Completion) -> Scored | Unparsed:
    """Read the verdict of a pointwise judge on the scale 0-5 (arXiv 2401.10020, Figure 2: "Score: <total points>")."""
    text = reply.text
    if reply.finish == "length":
        return Unparsed(text, "the reply was cut before its end")
    labels = list(_LABEL.finditer(text))
    if not labels:
        return Unparsed(text, "no score line")
    line = text[labels[-1].end() :].split("\n", 1)[0]
    match = _VALUE.match(line)
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
