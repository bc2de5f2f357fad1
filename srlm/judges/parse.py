"""Parsing of verdicts: the score in a judge's reply, or the reason why there is none.

Only the judge's reply is parsed, without its reasoning, never the text that it judged. The reply must be complete. Its
last line that begins with "Score:" counts, or its last "Rating: [[7]]"; without such a line, a JSON object with a score
that is the whole reply or its end. A value within a sentence, a quotation or a code block may be the candidate's and
does not count. Refused are values outside the scale, alternatives ("4 or 5", "3-4"), and values after which the judge
mentions scores again. Nothing is guessed: all other replies are `Unparsed`.
"""

import re
from collections.abc import Sequence
from math import isfinite

from srlm.judges.json_verdict import object_score
from srlm.judges.rubric import POINTS, Scale
from srlm.judges.score_value import read_value, unwrapped
from srlm.judges.unquoted_text import Line, inside_quotation, lines_of, mid_sentence
from srlm.strip_reasoning import strip_reasoning
from srlm.types import Completion, Scored, Unparsed

LEAST_MASS = 0.01
"""Minimum probability of all choices together; below it the judge was about to write something else."""
LEAST_DIGITS = 0.001
"""The same for digits after "Score: ", where a judge cannot begin to reason and an untrained one is less certain."""

CUT = "the reply was cut before its end"
ROOM = "--max-tokens (srlm judge), --judge-tokens (srlm eval) or judge.sampling.max_tokens (srlm train)"

_LABEL = re.compile(r"(?:(?:final|total|overall) )?score ?[:\uff1a=] ?", re.IGNORECASE)
_SCORE_AGAIN = re.compile(r"scor|rating|\bgrade|\bpoint|\btotal\b|\bout of\b|/ ?[0-9]", re.IGNORECASE)

_RATING = re.compile(r"\[\[ ?([+-]?[0-9]+(?:\.[0-9]+)?) ?\]\]")
_RATING_LABEL = re.compile(
    r"(?:^|[.!?)][\"'\u201d]? )\[{0,2}(?:(?:final|overall) )?rating ?\]{0,2} ?[:\uff1a] ?$", re.IGNORECASE
)
_RATING_AGAIN = re.compile(r"\b(?:rating|score)\W{0,6}[0-9]", re.IGNORECASE)
_VOTE = re.compile(r"(?:(?:final|my) )?(?:verdict|answer|choice|vote)? ?:? ?[\[(\"']{0,4} ?([a-z])", re.IGNORECASE)
_AROUND = " \t*_.:()[]\"'`$"


def read_score(reply: Completion, scale: Scale = POINTS) -> Scored | Unparsed:
    """Parse the verdict of a pointwise judge (arXiv 2401.10020, Figure 2: "Score: <total points>")."""
    text = _whole(reply)
    if isinstance(text, Unparsed):
        return text
    lines = lines_of(text)
    found = [(number, rest) for number, line in enumerate(lines) if (rest := _labelled(line)) is not None]
    if not found:
        value = object_score(text, scale)
        return Unparsed(text, value) if isinstance(value, str) else Scored(value, text)
    number, rest = found[-1]
    after = lines[number + 1 :]
    if lines[number].partial and sum(lines[other].partial for other, _ in found) > 1:
        return Unparsed(text, "the last score line is one of a list")
    if any(_SCORE_AGAIN.search(line.text) for line in after):
        return Unparsed(text, "after its score line the reply speaks of scores again")
    if mid_sentence(after):
        return Unparsed(text, "after its score line the reply goes on in the same sentence")
    if inside_quotation(lines, number):
        return Unparsed(text, "the last score line stands inside of a quotation")
    value = read_value(rest, scale)
    return Unparsed(text, value) if isinstance(value, str) else Scored(value, text)


def read_rating(reply: Completion, scale: Scale) -> Scored | Unparsed:
    """Parse the verdict of a grading judge, "Rating: [[7]]" as in MT-Bench (arXiv 2306.05685); half points are allowed.

    It must be at the end of a line, after its label or alone.
    """
    text = _whole(reply)
    if isinstance(text, Unparsed):
        return text
    lines = lines_of(text)
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
    if mid_sentence(rest):
        return Unparsed(text, "after its rating the reply goes on in the same sentence")
    if inside_quotation(lines, number):
        return Unparsed(text, "the last rating stands inside of a quotation")
    if not scale.lowest <= value <= scale.highest:
        return Unparsed(text, f"the rating {rating} is not between {scale.lowest} and {scale.highest}")
    return Scored(value, text)


def read_choice(
    reply: Completion, choices: tuple[str, ...], least_mass: float = LEAST_MASS, option: str = "--judge-tokens"
) -> Scored | Unparsed:
    """Parse a verdict between two choices: its value is the probability of the first, or 1 or 0 for a plain vote.

    A vote is one of the choices alone, or in the last line of several.

    Args:
        reply: the judge's reply.
        choices: two words.
        least_mass: minimum probability of both choices together, if it is known.
        option: the option that gives the judge more tokens, for the message.
    """
    reply = strip_reasoning(reply)
    if reply.probabilities is not None:
        refused = _unusable(reply, least_mass)
        return refused or Scored(reply.probabilities[0], reply.text, reply.probabilities)
    # A vote of one token always ends at its limit.
    one_token = reply.finish == "length" and reply.completion_tokens <= 1 and not reply.thoughts
    text = reply.text if one_token else _whole(reply, option)
    if isinstance(text, Unparsed):
        return text
    votes = [line for line in lines_of(text) if line.text.strip()]
    last = votes[-1].plain.strip(_AROUND) if votes and not votes[-1].quoted else ""
    word = _VOTE.fullmatch(last) if len(votes) > 1 else None
    vote = (word[1] if word else last).upper()
    if vote in choices and not inside_quotation(votes, len(votes) - 1):
        return Scored(1.0 if vote == choices[0] else 0.0, text)
    return Unparsed(text, f"neither {choices[0]} nor {choices[1]} alone")


def _unusable(reply: Completion, least_mass: float) -> Unparsed | None:
    """Return the reason why the probabilities of a reply are no verdict; None if they are one."""
    found = reply.probabilities or ()
    if not found or not all(isfinite(one) and 0 <= one <= 1 + 1e-6 for one in found):
        return Unparsed(reply.text, "its probabilities are no numbers: the judge's weights may be damaged")
    if reply.mass is not None and not isfinite(reply.mass):
        return Unparsed(reply.text, "its probabilities are no numbers: the judge's weights may be damaged")
    if reply.finish == "cut":
        return Unparsed(reply.text, CUT)
    if reply.mass is not None and reply.mass < least_mass:
        share = f"{100 * reply.mass:.1g}" if reply.mass < 0.001 else f"{100 * reply.mass:.2g}"
        return Unparsed(
            reply.text,
            f"the judge gave its choices {share} % of its probability: it was about to say something else",
        )
    return None


def _whole(reply: Completion, option: str = ROOM) -> str | Unparsed:
    """Return the text of a complete reply, without its reasoning; else the reason why it has no verdict."""
    reply = strip_reasoning(reply)
    if reply.text.strip():
        return reply.text if reply.finish == "stop" else Unparsed(reply.text, CUT)
    if not reply.thoughts:
        return Unparsed(reply.text, "the judge said nothing" if reply.finish == "stop" else CUT)
    if reply.finish == "cut":
        return Unparsed(reply.text, CUT)
    return Unparsed(
        reply.text,
        f"the judge spent its {reply.completion_tokens:,} tokens on thinking and came to no verdict: give it more with "
        f"{option}",
    )


def _labelled(line: Line) -> str | None:
    """Return the text after the label of a score line; None for any other line."""
    plain = "" if line.quoted else unwrapped(line.plain)
    label = _LABEL.match(plain)
    return plain[label.end() :] if label else None


def _rated(line: Line) -> str | None:
    """Return the rating at the end of a line; None without one, or with two that differ."""
    plain = "" if line.quoted else line.plain
    matches = list(_RATING.finditer(plain))
    if not matches or len({float(match[1]) for match in matches}) > 1:
        return None
    head, tail = plain[: matches[-1].start()], plain[matches[-1].end() :]
    if tail.strip(" .!]") or (head.strip(" [") and not _RATING_LABEL.search(head)):
        return None
    return str(matches[-1][1])


def expectation(reply: Completion, values: Sequence[int], least_mass: float = LEAST_DIGITS) -> Scored | Unparsed:
    """Compute the expected score from the probabilities of the digits."""
    reply = strip_reasoning(reply)
    refused = _unusable(reply, least_mass)
    found = reply.probabilities
    if refused is not None or found is None:
        return refused or Unparsed(reply.text, "no probabilities")
    return Scored(sum(value * p for value, p in zip(values, found, strict=True)), reply.text, found)
