"""The number after a score's label, in the formats of judges: "4", "**4**/5", "$4$", "\\boxed{4}", "four (good)".

Refused are alternatives ("4 or 5", "3-4"), and any further words that are not just a name for the number.
"""

import re

from srlm.judges.rubric import Scale

NUMBER = r"[+-]?[0-9]+(?:[.,][0-9]+)?"
WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_BOTH = rf"{NUMBER}|{'|'.join(WORDS)}"

_BRACKETED = re.compile(rf"\[ ?({NUMBER}) ?\]|< ?({NUMBER}) ?>|\( ?({NUMBER}) ?\)")
_FORMULA = re.compile(
    rf"\\(?:boxed|text|mathbf|textbf) ?\{{ ?({NUMBER}(?: ?/ ?[0-9]+)?) ?\}}|\$ ?({NUMBER}(?: ?/ ?[0-9]+)?) ?\$"
    rf"|\\[(\[] ?({NUMBER}(?: ?/ ?[0-9]+)?) ?\\[)\]]"
)
_VALUE = re.compile(
    rf"(?P<value>{_BOTH})(?: ?\(? ?(?:/|out of) ?(?P<scale>[0-9]+(?:\.[0-9]+)?|{'|'.join(WORDS)}) ?\)?)?"
    r"(?: ?points?)?(?: ?\((?P<remark>[a-z][a-z' ,-]{0,60})\)| (?P<stars>[\u2b50\u2605]{1,10}\u2606{0,10}))? ?[.!]?",
    re.IGNORECASE,
)
_DOUBT = re.compile(
    rf"\b(?:{'|'.join(WORDS)}|or|not|no|but|maybe|perhaps|instead|unless|if|half|plus|minus|than|of|to|at|score|point|almost"
    r"|nearly|between|about|around|roughly|approximately|say|said|ask|was|were|would|should|could|might|may)(?:s|ed|ly)?\b",
    re.IGNORECASE,
)
"""Words after a number that make it ambiguous."""


def read_value(words: str, scale: Scale) -> float | str:
    """Return the whole number of points after a label, or the reason why there is none."""
    match = _VALUE.fullmatch(unwrapped(words))
    if match is None or (match["remark"] and _DOUBT.search(match["remark"])):
        return "the score line holds no single number"
    value = _number(match["value"])
    if match["stars"] and sum(one != "\u2606" for one in match["stars"]) != value:
        return "the score line holds no single number"
    if match["scale"] is not None and _number(match["scale"]) != scale.highest:
        return f"the score is given out of {match['scale']}, not {scale.highest}"
    if not scale.lowest <= value <= scale.highest:
        return f"the score {match['value']} is not between {scale.lowest} and {scale.highest}"
    if value != int(value):
        return f"the score {match['value']} is no whole number of points"
    return value


def unwrapped(text: str) -> str:
    """Remove brackets and formula delimiters around the text or around a number."""
    text = text.strip()
    while len(text) > 1 and text[0] + text[-1] in {"[]", "<>", "()", "$$"}:
        text = text[1:-1].strip()
    for pattern in (_FORMULA, _FORMULA, _BRACKETED):  # "$\boxed{4}$" is two formulas
        text = pattern.sub(lambda match: f" {next(one for one in match.groups() if one)} ", text)
    return " ".join(text.split())


def _number(word: str) -> float:
    return float(WORDS.index(word.lower())) if word.lower() in WORDS else float(word.replace(",", "."))
