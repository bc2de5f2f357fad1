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
    """The value of an expression, its numbers from left to right, and its operations in the order of their values.

    An operation is written with its result: "25 + 2 = 27".
    """

    value: Fraction
    numbers: tuple[int, ...]
    steps: tuple[str, ...]


def read_expression(text: str) -> Expression | None:
    """Parse a text as one expression; None if it is none, is out of bounds, or divides by zero."""
    written = text.translate(_SIGNS)
    tokens = _TOKEN.findall(written) if len(written) <= LONGEST else []
    if _TOKEN.sub("", written).strip():
        return None
    numbers = tuple(int(token) for token in tokens if token.isdigit())
    reader = _Reader(tokens[::-1])
    try:
        value = reader.sum(0)
    except (ValueError, ZeroDivisionError):
        return None
    return None if reader.ahead else Expression(value, numbers, tuple(reader.steps))


class _Reader:
    """A recursive descent over the remaining tokens, which are in reverse."""

    def __init__(self, ahead: list[str]) -> None:
        self.ahead = ahead
        self.steps: list[str] = []

    def sum(self, depth: int) -> Fraction:
        value = self._product(depth)
        while self.ahead and self.ahead[-1] in "+-":
            value = self._combined(value, self.ahead.pop(), self._product(depth))
        return value

    def _product(self, depth: int) -> Fraction:
        value = self._operand(depth)
        while self.ahead and self.ahead[-1] in "*/":
            value = self._combined(value, self.ahead.pop(), self._operand(depth))
        return value

    def _operand(self, depth: int) -> Fraction:
        taken = self.ahead.pop() if self.ahead else ""
        if taken.isdigit():
            return Fraction(int(taken))
        if taken != "(" or depth == DEEPEST:
            raise ValueError("a number or a bracket is expected")
        value = self.sum(depth + 1)
        if not self.ahead or self.ahead.pop() != ")":
            raise ValueError("a bracket is not closed")
        return value

    def _combined(self, left: Fraction, sign: str, right: Fraction) -> Fraction:
        match sign:
            case "+":
                value = left + right
            case "-":
                value = left - right
            case "*":
                value = left * right
            case _:
                value = left / right
        self.steps.append(f"{left} {sign} {right} = {value}")
        return value
