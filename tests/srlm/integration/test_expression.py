"""Functions of x: what is read as what, what is refused, and that no text breaks the reader or keeps it busy."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srlm.integration.expression import DEEPEST, LONGEST, Call, Number, Operation, Symbol, read_function

X = Symbol("x")


def number(value):
    return Number(Fraction(value))


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("x", X),
        ("2x", Operation("*", number(2), X)),
        ("x^2/2", Operation("/", Operation("^", X, number(2)), number(2))),
        ("1/2x", Operation("*", Operation("/", number(1), number(2)), X)),
        ("-x^2", Operation("-", number(0), Operation("^", X, number(2)))),
        ("x**2", Operation("^", X, number(2))),
        ("x²", Operation("^", X, number(2))),
        ("x^2^x", Operation("^", X, Operation("^", number(2), X))),
        ("0.5*x", Operation("*", number("0.5"), X)),
        (".5x", Operation("*", number("0.5"), X)),
        ("sin .5x", Call("sin", Operation("*", number("0.5"), X))),
        ("sin(x)", Call("sin", X)),
        ("sin x", Call("sin", X)),
        ("sin 2x", Call("sin", Operation("*", number(2), X))),
        ("sin 2x cos x", Operation("*", Call("sin", Operation("*", number(2), X)), Call("cos", X))),
        ("xsin(x)", Operation("*", X, Call("sin", X))),
        ("sin^2(x)", Operation("^", Call("sin", X), number(2))),
        ("ln(|x|)", Call("log", Call("Abs", X))),
        ("ln|x|", Call("log", Call("Abs", X))),
        ("arctan x", Call("atan", X)),
        ("e^x", Operation("^", Symbol("e"), X)),
        ("exp(x) + C", Call("exp", X)),
        ("F(x) = x + c", X),
        ("C + x", X),
        (r"x + \text{C}", X),
        (r"\(x\)", X),
        (r"\frac{x^{2}}{2} + C", Operation("/", Operation("^", X, number(2)), number(2))),
        (r"$\sqrt{x}$", Call("sqrt", X)),
        (r"\ln\left(x\right)", Call("log", X)),
        (r"2 \cdot \pi", Operation("*", number(2), Symbol("pi"))),
        ("(x)(x)", Operation("*", X, X)),
        ("x − 1", Operation("-", X, number(1))),
        ("2 * -3", Operation("*", number(2), Operation("-", number(0), number(3)))),
    ],
)
def test_what_is_read_as_what(text, tree):
    assert read_function(text) == tree


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "+ C",
        "y",
        "x + C + 1 y",
        "C x",
        "integrate(x, x)",
        r"\int x dx",
        "diff(x^2, x)",
        "x.evalf()",
        "__import__('os').system('true')",
        "lambda x: x",
        "x; x",
        "f(x)",
        "x = y",
        "x == x",
        "(x",
        "x)",
        "sin",
        "sin + 1",
        "sin^-1(x)",
        "sin^x(x)",
        "x^",
        "1e9999x y",
        "x^100",
        "x^-100",
        "9^9^9^9",
        "2^21",
        "2^3^2",
        "1 2",
        "1.5.5",
        "x.5",
        ".",
        "C + C",
        "x2",
        "(2^9)^9",
        "(1+1)^(1+1)",
        "12345678901",
        "|x",
        "#x",
        "√x",
        "x" * (LONGEST + 1),
        "(" * (DEEPEST + 2) + "x" + ")" * (DEEPEST + 2),
        "-" * (DEEPEST + 3) + "x",
        "sin(" * (DEEPEST + 2) + "x" + ")" * (DEEPEST + 2),
    ],
)
def test_what_is_no_function_is_refused(text):
    assert read_function(text) is None


@given(st.text() | st.text(alphabet="0123456789x+-*/^()|{}\\ sincoexpl.C=F", max_size=LONGEST))
def test_no_text_raises(text):
    read_function(text)
