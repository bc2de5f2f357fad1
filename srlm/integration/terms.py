"""Terms with a known antiderivative: of sums of them integrands, right answers and wrong ones are made.

The terms are those of a first course: powers, exponentials, sine and cosine, logarithms, substitutions and products
that are integrated by parts. All functions are pure; randomness is passed as a generator.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True)
class Base:
    """A function and its derivative, which is `factor` times `shape`: sin(3*x), cos(3*x), 3."""

    function: str
    shape: str
    factor: Fraction
    family: str


@dataclass(frozen=True)
class Term:
    """A base function with a coefficient: a summand of an antiderivative."""

    coefficient: Fraction
    base: Base

    @property
    def derivative(self) -> tuple[Fraction, str]:
        """Return the coefficient and the shape of the derivative."""
        return self.coefficient * self.base.factor, self.base.shape

    def __str__(self) -> str:
        """Return the summand as text: "2*sin(3*x)"."""
        return sum_of([(self.coefficient, self.base.function)])


def sum_of(parts: Sequence[tuple[Fraction, str]]) -> str:
    """Write a sum of functions with coefficients: "6*x^2 - cos(3*x)/2"."""
    text = ""
    for coefficient, function in parts:
        sign = "-" if coefficient < 0 else "+"
        one = _times(abs(coefficient), function)
        if text:
            text += f" {sign} {one}"
        else:
            text = one if sign == "+" else f"-{one}"
    return text or "0"


def draw_terms(chance: random.Random, count: int) -> tuple[Term, ...]:
    """Sample summands of an antiderivative, whose derivatives have different shapes and small coefficients."""
    found: dict[str, Term] = {}
    while len(found) < count:
        base = draw_base(chance)
        coefficient = Fraction(chance.choice([1, 1, 2, 3, 4, 5]) * chance.choice([1, 1, -1]))
        if base.factor.denominator > 1:
            coefficient *= base.factor.denominator  # whole coefficients of the integrand
        elif chance.random() < DIVIDED:
            coefficient /= abs(base.factor)
        found.setdefault(base.shape, Term(coefficient, base))
    return tuple(found.values())


DIVIDED = 0.4
"""Share of the summands whose antiderivative has a fraction, where its base allows one: x^3/3 for x^2."""


def draw_base(chance: random.Random, family: str | None = None) -> Base:
    """Sample a base function, of a family if one is given."""
    name = family or chance.choices(list(FAMILIES), [weight for weight, _ in FAMILIES.values()])[0]
    function, shape, factor = FAMILIES[name][1](chance)
    return Base(function, shape, Fraction(factor), name)


def _times(coefficient: Fraction, function: str) -> str:
    """Write a positive multiple of a function: "3*x^2/4", "2/(3*x)", "5"."""
    numerator, denominator = coefficient.numerator, coefficient.denominator
    if function == "1":
        return str(coefficient)
    if function.startswith("1/"):
        below = function[2:] if denominator == 1 else f"({denominator}*{function[2:]})"
        return f"{numerator}/{below}"
    over = function if numerator == 1 else f"{numerator}*{function}"
    return over if denominator == 1 else f"{over}/{denominator}"


Drawn = tuple[str, str, Fraction | int]


def _power(chance: random.Random) -> Drawn:
    exponent = chance.randint(1, 6)
    return _raised("x", exponent), _raised("x", exponent - 1), exponent


def _root(_: random.Random) -> Drawn:
    return "x^(3/2)", "sqrt(x)", Fraction(3, 2)


def _reciprocal(_: random.Random) -> Drawn:
    return "ln(x)", "1/x", 1


def _negative_power(chance: random.Random) -> Drawn:
    exponent = chance.randint(1, 3)
    return "1/x" if exponent == 1 else f"1/x^{exponent}", f"1/x^{exponent + 1}", -exponent


def _sine(chance: random.Random) -> Drawn:
    inner, factor = _multiple(chance)
    return f"sin({inner})", f"cos({inner})", factor


def _cosine(chance: random.Random) -> Drawn:
    inner, factor = _multiple(chance)
    return f"cos({inner})", f"sin({inner})", -factor


def _exponential(chance: random.Random) -> Drawn:
    inner, factor = _multiple(chance)
    return f"exp({inner})", f"exp({inner})", factor


def _shifted_power(chance: random.Random) -> Drawn:
    inner, factor = _multiple(chance)
    shifted = f"({inner} {chance.choice('+-')} {chance.randint(1, 5)})"
    exponent = chance.randint(2, 5)
    return _raised(shifted, exponent), _raised(shifted, exponent - 1), factor * exponent


def _logarithm_of_square(chance: random.Random) -> Drawn:
    inner = f"(x^2 + {chance.randint(1, 9)})"
    return f"ln{inner}", f"x/{inner}", 2


def _exponential_of_square(chance: random.Random) -> Drawn:
    factor = chance.randint(1, 3)
    inner = "x^2" if factor == 1 else f"{factor}*x^2"
    return f"exp({inner})", f"x*exp({inner})", 2 * factor


def _power_of_sine(chance: random.Random) -> Drawn:
    exponent = chance.randint(2, 4)
    return f"sin(x)^{exponent}", f"{_raised('sin(x)', exponent - 1)}*cos(x)", exponent


def _arc_tangent(_: random.Random) -> Drawn:
    return "atan(x)", "1/(x^2 + 1)", 1


def _by_parts(chance: random.Random) -> Drawn:
    known: list[Drawn] = [
        ("(x - 1)*exp(x)", "x*exp(x)", 1),
        ("(x*sin(x) + cos(x))", "x*cos(x)", 1),
        ("(sin(x) - x*cos(x))", "x*sin(x)", 1),
        ("(x*ln(x) - x)", "ln(x)", 1),
    ]
    return chance.choice(known)


FAMILIES: dict[str, tuple[int, Callable[[random.Random], Drawn]]] = {
    "power": (6, _power),
    "root": (1, _root),
    "reciprocal": (1, _reciprocal),
    "negative power": (2, _negative_power),
    "sine": (3, _sine),
    "cosine": (3, _cosine),
    "exponential": (3, _exponential),
    "shifted power": (3, _shifted_power),
    "logarithm of a square": (1, _logarithm_of_square),
    "exponential of a square": (1, _exponential_of_square),
    "power of sine": (2, _power_of_sine),
    "arc tangent": (1, _arc_tangent),
    "by parts": (2, _by_parts),
}
"""Families of base functions: how often they come, and how one is drawn: function, shape of its derivative, factor."""


def _raised(base: str, exponent: int) -> str:
    return "1" if exponent == 0 else base if exponent == 1 else f"{base}^{exponent}"


def _multiple(chance: random.Random) -> tuple[str, int]:
    factor = chance.randint(1, 6)
    return ("x" if factor == 1 else f"{factor}*x"), factor
