"""Check of an antiderivative: its derivative by SymPy, compared with the integrand at random points.

Values have 30 digits. At a point where both are real and finite, they may differ by `TOLERANCE` of the integrand there,
or by `FLOOR` of its median over the points, whichever is larger. So a flat wrong function does not pass where the
integrand is small, nor a small wrong summand where it grows fast. One difference is enough to be wrong; to be right, a
function agrees at `LEAST_POINTS` or more; with fewer nothing is decided. An antiderivative of any branch counts: ln(x)
and ln(-x) for 1/x.

SymPy may take long for a tree that is within the bounds of the parser: check in a process with a limit
(`srlm.tasks.isolated`).
"""

from fractions import Fraction
from functools import cache, lru_cache
from random import Random
from statistics import median
from typing import Any

from srlm.integration.expression import Call, Number, Operation, Symbol, Tree, read_function
from srlm.seeding import derive_seed

DIGITS = 30
TOLERANCE = 1e-8
FLOOR = 1e-9
"""For points where the integrand is nearly 0: an answer with decimals of ten digits is right there too."""
POINTS = 32
LEAST_POINTS = 8
WIDTH = 4
"""Points are drawn between minus and plus this number."""
GRID = 9973
"""Points are fractions with this denominator, a prime: none is a zero or a pole of a function with small numbers."""


def is_antiderivative(integrand: str, answer: str) -> bool | None:
    """Return whether the derivative of the answer is the integrand; None if that cannot be decided.

    Args:
        integrand: a function of x that can be parsed.
        answer: of a model. A text that is no function is wrong.
    """
    written = read_function(answer)
    if written is None:
        return False
    wanted = _values(integrand)
    function = _sympy(written)
    if function.has(*_infinities()):
        return False
    derivative = function.diff(_variable())
    floor = FLOOR * median(abs(value) for value in wanted.values()) if wanted else 0
    compared = 0
    for point, value in wanted.items():
        found = _value(derivative, point)
        if found is not None:
            compared += 1
            if abs(found - value) > max(TOLERANCE * abs(value), floor):
                return False
    return True if compared >= LEAST_POINTS else None


@lru_cache(maxsize=64)  # several answers to one problem are checked one after the other
def _values(integrand: str) -> dict[Fraction, Any]:
    """Return the values of an integrand where it is real and finite."""
    tree = read_function(integrand)
    if tree is None:
        raise ValueError(f"{integrand} is no function")
    function = _sympy(tree)
    found = {point: _value(function, point) for point in _points(integrand)}
    return {point: value for point, value in found.items() if value is not None}


def _points(integrand: str) -> list[Fraction]:
    """Return the points for an integrand, the same in every process."""
    chance = Random(derive_seed("integration", "points", integrand))
    return [Fraction(chance.randint(1, WIDTH * GRID), GRID) * (-1) ** number for number in range(POINTS)]


def _value(function: Any, point: Fraction) -> Any:
    """Return the value at a point as SymPy's Float; None where it is not real or not finite."""
    import sympy

    at = sympy.Rational(point.numerator, point.denominator)
    value = function.evalf(DIGITS, subs={_variable(): at})
    return value if value.is_Float or (value.is_number and value.is_real and value.is_finite) else None


def _sympy(tree: Tree) -> Any:
    """Return a tree as an expression of SymPy."""
    import sympy

    match tree:
        case Number(value):
            return sympy.Rational(value.numerator, value.denominator)
        case Symbol("x"):
            return _variable()
        case Symbol(name):
            return sympy.E if name == "e" else sympy.pi
        case Call(function, argument):
            return getattr(sympy, function)(_sympy(argument))
        case Operation(sign, left, right):
            one, two = _sympy(left), _sympy(right)
            return {"+": one.__add__, "-": one.__sub__, "*": one.__mul__, "/": one.__truediv__, "^": one.__pow__}[sign](
                two
            )


@cache
def _variable() -> Any:
    import sympy

    return sympy.Symbol("x", real=True)


def _infinities() -> tuple[Any, ...]:
    import sympy

    return sympy.oo, -sympy.oo, sympy.zoo, sympy.nan
