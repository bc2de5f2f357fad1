"""Safe parser of functions of x that models write, in plain notation or LaTeX: to a tree, and nothing is evaluated.

Understood are numbers, x, e and pi, + - * / ^ (or **), brackets, |...|, a product without a sign (2x, x sin(x)), the
functions of `FUNCTIONS` with and without brackets (sin 2x), powers of functions (sin^2(x)), and of LaTeX \\frac,
\\sqrt, \\cdot, \\left and \\right. "F(x) =" before the function, and "+ C" after it or "C +" before it, are dropped. A
product without a sign binds as one with a sign: 1/2x is x/2. `log` is the natural logarithm.

Length, nesting, numbers and exponents are bounded. SymPy's own parser is not used, because it evaluates what it reads.
"""

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

LONGEST = 400
"""Maximal length in characters."""
DEEPEST = 20
"""Maximal nesting of brackets, powers and functions."""
LARGEST_EXPONENT = 99
"""Maximal value of an exponent that is a number, and `LARGEST_CONSTANT_EXPONENT` where its base is one too."""
LARGEST_CONSTANT_EXPONENT = 20

FUNCTIONS = {
    "arcsin": "asin",
    "arccos": "acos",
    "arctan": "atan",
    "asin": "asin",
    "acos": "acos",
    "atan": "atan",
    "sinh": "sinh",
    "cosh": "cosh",
    "tanh": "tanh",
    "sin": "sin",
    "cos": "cos",
    "tan": "tan",
    "cot": "cot",
    "sec": "sec",
    "csc": "csc",
    "ln": "log",
    "log": "log",
    "exp": "exp",
    "sqrt": "sqrt",
    "abs": "Abs",
}
"""Names as they are written, and as SymPy has them. None is the beginning of a later one."""


@dataclass(frozen=True)
class Number:
    """A number: a decimal is exact."""

    value: Fraction


@dataclass(frozen=True)
class Symbol:
    """The variable or a constant."""

    name: Literal["x", "e", "pi"]


@dataclass(frozen=True)
class Call:
    """A function, by SymPy's name, of an argument."""

    function: str
    argument: "Tree"


@dataclass(frozen=True)
class Operation:
    """Two trees that are added, subtracted, multiplied, divided, or the first to the power of the second."""

    sign: Literal["+", "-", "*", "/", "^"]
    left: "Tree"
    right: "Tree"


Tree = Number | Symbol | Call | Operation

_ZERO = Number(Fraction(0))
_REPLACED = {
    **dict.fromkeys("×·⋅∗", "*"),
    **dict.fromkeys(("\\cdot", "\\times"), "*"),
    **dict.fromkeys(("\\left", "\\right", "\\,", "\\;", "\\!", "\\ ", "\\displaystyle", "$"), " "),
    **dict.fromkeys(("\\dfrac", "\\tfrac", "\\frac"), "#"),
    **dict.fromkeys(("\\(", "\\)"), " "),
    **dict.fromkeys(("\\operatorname", "\\mathrm", "\\text"), " "),
    "**": "^",
    "÷": "/",
    "−": "-",
    "π": " pi ",
    "\\pi": " pi ",
    "²": "^2",
    "³": "^3",
    "{": "(",
    "}": ")",
    "[": "(",
    "]": ")",
}
_WRITTEN = re.compile("|".join(re.escape(one) for one in sorted(_REPLACED, key=len, reverse=True)))
_NAMED = re.compile(r"\s*[FfGgy]\s*(?:\(\s*x\s*\))?\s*=(?!=)")
_CONSTANT = re.compile(r"\s*\+\s*(?:[Cc]|\(\s*[Cc]\s*\))\s*\Z")
_CONSTANT_FIRST = re.compile(r"\s*[Cc]\s*\+")
_NUMBER = r"[0-9]{1,9}(?:\.[0-9]{1,20})?|\.[0-9]{1,20}"
_TOKEN = re.compile(rf"{_NUMBER}|\\?(?:{'|'.join(FUNCTIONS)}|pi|[xe])|[-+*/^()|#]")


def read_function(text: str) -> Tree | None:
    """Parse a text as one function of x; None if it is none, or is out of bounds."""
    if len(text) > LONGEST:
        return None
    written = _WRITTEN.sub(lambda found: _REPLACED[found[0]], text)
    if named := _NAMED.match(written):
        written = written[named.end() :]
    if ending := _CONSTANT.search(written):
        written = written[: ending.start()]
    elif beginning := _CONSTANT_FIRST.match(written):
        written = written[beginning.end() :]
    if _TOKEN.sub("", written).strip():
        return None
    reader = _Reader([token.removeprefix("\\") for token in _TOKEN.findall(written)][::-1])
    try:
        tree = reader.sum(0)
    except ValueError:
        return None
    return None if reader.ahead else tree


def constant(tree: Tree) -> bool:
    """Return whether x is not in a tree."""
    match tree:
        case Symbol(name):
            return name != "x"
        case Call(_, argument):
            return constant(argument)
        case Operation(_, left, right):
            return constant(left) and constant(right)
    return True


class _Reader:
    """A recursive descent over the remaining tokens, which are in reverse; a ValueError if they are no function."""

    def __init__(self, ahead: list[str]) -> None:
        self.ahead = ahead

    @property
    def next(self) -> str:
        return self.ahead[-1] if self.ahead else ""

    def sum(self, depth: int) -> Tree:
        tree = self._product(depth)
        while self.next in {"+", "-"}:
            sign: Literal["+", "-"] = "+" if self.ahead.pop() == "+" else "-"
            tree = Operation(sign, tree, self._product(depth))
        return tree

    def _product(self, depth: int) -> Tree:
        tree = self._factor(depth)
        while self.next in ("*", "/") or self._begins_atom():
            sign: Literal["*", "/"] = "*"
            if self.next in ("*", "/"):
                sign = "*" if self.ahead.pop() == "*" else "/"
            tree = Operation(sign, tree, self._factor(depth))
        return tree

    def _begins_atom(self) -> bool:
        """Return whether a factor without a sign follows; a number is none, as 1 2 is no product."""
        return bool(self.ahead) and (self.next in "(#" or self.next[0].isalpha())

    def _factor(self, depth: int) -> Tree:
        if depth > DEEPEST:
            raise ValueError("nested too deep")
        if self.next in {"+", "-"}:
            sign = self.ahead.pop()
            operand = self._factor(depth + 1)
            return operand if sign == "+" else Operation("-", _ZERO, operand)
        return self._power(depth)

    def _power(self, depth: int) -> Tree:
        base = self._atom(depth)
        if self.next != "^":
            return base
        self.ahead.pop()
        return _raised(base, self._factor(depth + 1))

    def _atom(self, depth: int) -> Tree:
        taken = self.ahead.pop() if self.ahead else ""
        if _is_number(taken):
            return Number(Fraction(taken))
        if taken in FUNCTIONS:
            return self._call(FUNCTIONS[taken], depth)
        match taken:
            case "x" | "e" | "pi":
                return Symbol(taken)
            case "(":
                return self._closed(")", depth)
            case "|":
                return Call("Abs", self._closed("|", depth))
            case "#":
                numerator = self._group(depth)
                return Operation("/", numerator, self._group(depth))
        raise ValueError("a number, x, a function or a bracket is expected")

    def _closed(self, sign: str, depth: int) -> Tree:
        tree = self.sum(depth + 1)
        if self.next != sign:
            raise ValueError("a bracket is not closed")
        self.ahead.pop()
        return tree

    def _group(self, depth: int) -> Tree:
        if self.next != "(":
            raise ValueError("a bracket is expected")
        self.ahead.pop()
        return self._closed(")", depth)

    def _call(self, function: str, depth: int) -> Tree:
        power = None
        if self.next == "^":  # sin^2(x); sin^-1(x) has two meanings
            self.ahead.pop()
            power = self._group(depth) if self.next == "(" else self._atom(depth + 1)
            if not isinstance(power, Number) or power.value.denominator > 1:
                raise ValueError("a function has a whole number as its power")
        bracket = self.next in {"(", "|"}
        argument = self._atom(depth + 1) if bracket else self._bare_argument(depth + 1)
        call = Call(function, argument)
        return call if power is None else _raised(call, power)

    def _bare_argument(self, depth: int) -> Tree:
        """Parse an argument without brackets: 2x in sin 2x cos x."""
        tree = self._power(depth) if _is_number(self.next) or self.next in ("x", "e", "pi") else None
        if tree is None:
            raise ValueError("an argument is expected")
        while self.next in ("x", "e", "pi"):
            tree = Operation("*", tree, self._power(depth))
        return tree


def _is_number(token: str) -> bool:
    return token[:1].isdigit() or token[:1] == "."


def _raised(base: Tree, exponent: Tree) -> Tree:
    """Return a power if its numbers cannot become very large."""
    value = _number(exponent)
    if value is not None and abs(value) > LARGEST_EXPONENT:
        raise ValueError("the exponent is too large")
    if constant(base) and constant(exponent):
        plain = isinstance(base, Number | Symbol) or _number(base) is not None
        if value is None or not plain or abs(value) > LARGEST_CONSTANT_EXPONENT:
            raise ValueError("a power of numbers is too large")
    return Operation("^", base, exponent)


def _number(tree: Tree) -> Fraction | None:
    """Return the value of a number, of a negative one or of a fraction of two; None for any other tree."""
    match tree:
        case Number(value):
            return value
        case Operation("-", Number(Fraction(numerator=0)), Number(value)):
            return -value
        case Operation("/", left, Number(value)) if value and (over := _number(left)) is not None:
            return over / value
    return None
