"""Expressions: their value is exact and computed a second way, and no text breaks the reader or keeps it busy."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srlm.countdown.expression import DEEPEST, LONGEST, read_expression

WRITTEN = {"+": "+", "-": "-−", "*": "*×·", "/": "/÷"}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("((100 + 6) * 3 * 75 - 50) / 25", 952),
        ("8 / (3 - 8 / 3)", 24),
        ("5 * (5 - 1 / 5)", 24),
        ("(10 × 10 − 4) ÷ 4", 24),
        ("1 - 2 - 3", -4),
        ("8 / 4 / 2", 1),
        ("2 + 3 * 4", 14),
        ("7", 7),
        ("1/3", Fraction(1, 3)),
    ],
)
def test_values_that_are_known(text, value):
    assert read_expression(text).value == value


def test_numbers_come_in_order_and_as_often_as_they_stand_there():
    assert read_expression("(3 + 50) * 3 / 007").numbers == (3, 50, 3, 7)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "()",
        "1 +",
        "* 2",
        "-3 + 5",
        "3 + -5",
        "2 ** 9",
        "9^9^9",
        "7 // 2",
        "1 2",
        "2(3)",
        "(1 + 2",
        "1 + 2)",
        ")1(",
        "1 / 0",
        "1 / (3 - 3)",
        "1.5 * 2",
        "1e9",
        "1_000",
        "0x10",
        "1234567",
        "٣ + ٤",
        "² + 1",
        "3 x 4",
        "3!",
        "[1 + 2]",
        "__import__('os')",
        "1 + 2 # three",
        "1, 2",
        "1 + 2 = 3",
        "1\u200b+2",
        "9" * 10_000,
        "(" * 10_000,
        "(" * (DEEPEST + 1) + "1" + ")" * (DEEPEST + 1),
        "1+" * LONGEST + "1",
    ],
)
def test_what_is_no_expression_is_refused(text):
    assert read_expression(text) is None


def test_the_bounds_are_inside():
    assert read_expression("(" * DEEPEST + "1" + ")" * DEEPEST).value == 1
    assert read_expression("1+" * (LONGEST // 2 - 1) + "1 ").value == LONGEST // 2


@st.composite
def trees(draw, depth=4):
    """An expression as text, with its value and its numbers, put together from the inside."""
    if depth == 0 or draw(st.booleans()):
        number = draw(st.integers(0, 999))
        return str(number), Fraction(number), (number,)
    left, one, before = draw(trees(depth=depth - 1))
    right, two, after = draw(trees(depth=depth - 1))
    sign = draw(st.sampled_from([sign for sign in "+-*/" if sign != "/" or two]))
    value = {"+": one + two, "-": one - two, "*": one * two, "/": two and one / two}[sign]
    blank = draw(st.sampled_from(["", " "]))
    return f"({left}{blank}{draw(st.sampled_from(WRITTEN[sign]))}{blank}{right})", value, before + after


@given(trees())
def test_value_and_numbers_are_those_of_the_tree(tree):
    text, value, numbers = tree
    found = read_expression(text)
    assert found is None if len(text) > LONGEST else (found.value, found.numbers) == (value, numbers)


@given(st.text(alphabet="0123456789+-*/() ", max_size=40))
def test_what_is_read_is_python_too_with_the_same_value(text):
    found = read_expression(text)
    if found is not None:
        written = "".join(f"Fraction({int(token)})" if token.isdigit() else token for token in _split(text))
        assert eval(written, {"Fraction": Fraction}) == found.value


def _split(text):
    """Digits together, all else one by one."""
    parts = [""]
    for one in text:
        if one.isdigit() and parts[-1].isdigit():
            parts[-1] += one
        else:
            parts.append(one)
    return [part for part in parts if part.strip()]


@given(st.text())
def test_no_text_raises(text):
    read_expression(text)
