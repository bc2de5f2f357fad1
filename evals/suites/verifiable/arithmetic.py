"""Safe parser of arithmetic expressions that models write, with exact values; Python's `eval` is not used.

An expression has whole numbers, + - * / (or ×, ·, ÷, −) and round brackets, and nothing else: no sign before a
number, no power, no name, no decimal. Its length, the digits of its numbers and its nesting are bounded, so that no
text takes long to parse or gives a number that fills the memory.
"""

import re
from dataclasses import dataclass
from fractions import Fraction

LONGEST = 200
"""Maximal length in characters."""
DEEPEST = 16
"""Maximal nesting of brackets."""

_SIGNS = str.maketrans({"×": "*", "·": "*", "⋅": "*", "∗": "*", "÷": "/", "∕": "/", "−": "-"})
_TOKEN = re.compile(r"[0-9]{1,6}|[-+*/()]")


@dataclass(frozen=True)
class Expression:
    """The value of an expression, and its numbers from left to right."""

    value: Fraction
    numbers: tuple[int, ...]


def read_expression(text: str) -> Expression | None:
    """Parse a text as one expression; None if it is none, is out of bounds, or divides by zero."""
    written = text.translate(_SIGNS)
    tokens = _TOKEN.findall(written) if len(written) <= LONGEST else []
    if _TOKEN.sub("", written).strip():
        return None
    numbers = tuple(int(token) for token in tokens if token.isdigit())
    ahead = tokens[::-1]
    try:
        value = _sum(ahead, 0)
    except (ValueError, ZeroDivisionError):
        return None
    return None if ahead else Expression(value, numbers)


def _sum(ahead: list[str], depth: int) -> Fraction:
    """Parse a sum from the end of the remaining tokens, which are in reverse."""
    value = _product(ahead, depth)
    while ahead and ahead[-1] in "+-":
        value = value + _product(ahead, depth) if ahead.pop() == "+" else value - _product(ahead, depth)
    return value


def _product(ahead: list[str], depth: int) -> Fraction:
    value = _operand(ahead, depth)
    while ahead and ahead[-1] in "*/":
        value = value * _operand(ahead, depth) if ahead.pop() == "*" else value / _operand(ahead, depth)
    return value


def _operand(ahead: list[str], depth: int) -> Fraction:
    taken = ahead.pop() if ahead else ""
    if taken.isdigit():
        return Fraction(int(taken))
    if taken != "(" or depth == DEEPEST:
        raise ValueError("a number or a bracket is expected")
    value = _sum(ahead, depth + 1)
    if not ahead or ahead.pop() != ")":
        raise ValueError("a bracket is not closed")
    return value
