"""Antiderivatives: right in any form, wrong also where the difference is small, and undecided where nothing is real."""

from itertools import islice

import pytest

from srlm.integration.checker import is_antiderivative
from srlm.integration.seed_data import demonstrations, ranked
from srlm.integration.task import integrals


@pytest.mark.parametrize(
    ("integrand", "answer"),
    [
        ("x^2", "x^3/3"),
        ("x^2", "x^3/3 + 7"),
        ("x^2", r"\frac{x^3}{3} + C"),
        ("x^2", "(1/3)*x^3 + pi"),
        ("2*x", "(x+1)(x-1)"),
        ("1/x", "ln(x)"),
        ("1/x", "ln|x|"),
        ("1/x", "ln(-x)"),
        ("1/x", "ln(3x)"),
        ("sin(x)*cos(x)", "sin^2(x)/2"),
        ("sin(x)*cos(x)", "-cos(2x)/4"),
        ("sqrt(x)", "2/3*x^(3/2)"),
        ("sqrt(x)", "2x sqrt(x)/3"),
        ("ln(x)", "x ln x - x"),
        ("1/(x^2 + 1)", "arctan(x)"),
        ("tan(x)", "-ln(cos(x))"),
        ("exp(x)", "e^x"),
        ("x*exp(x)", "(x - 1)e^x"),
        ("1/100000*x", "x^2/200000"),
        ("x", ".5x^2"),
        ("x^2", "C + x^3/3"),
        ("cos(3*x)", "0.33333333333*sin(3x)"),
    ],
)
def test_right(integrand, answer):
    assert is_antiderivative(integrand, answer) is True


@pytest.mark.parametrize(
    ("integrand", "answer"),
    [
        ("x^2", "x^3"),
        ("x^2", "2*x"),
        ("x^2", "x^2"),
        ("x^2", "0.333*x^3"),
        ("x^2", "integrate(x^2)"),
        ("x^2", "the antiderivative"),
        ("x", "abs(x)*x/2"),
        ("1/x", "1/0"),
        ("1/x", "-1/x^2"),
        ("1/100000*x", "0"),  # a tolerance that is not scaled would pass it
        ("1/100000*x", "x^2/200001"),
        ("exp(x)", "e^x + x/1000000"),
        ("cos(x)", "sin(x) + sin(1000x)/10000000"),
        ("x*exp(3*x^2)", "exp(3*x^2)/6 + x/200"),  # far below the median of the integrand, which grows fast
    ],
)
def test_wrong(integrand, answer):
    assert is_antiderivative(integrand, answer) is False


@pytest.mark.parametrize("answer", ["x*sqrt(-1 - x^2)", "ln(ln(-1 - x^2))"])
def test_undecided_where_the_derivative_is_not_real(answer):
    assert is_antiderivative("x^2", answer) is None


def test_each_integrand_has_the_solution_that_it_was_made_of():
    for one in islice(integrals("test", 3), 40):
        assert is_antiderivative(one.integrand, one.solution) is True, one


def test_the_judgements_of_the_seeds_are_true():
    for one in ranked(0)[:30]:
        right, wrong = one.answers
        integrand = one.instruction.split("\n")[1]
        assert is_antiderivative(integrand, right.text) is True, one
        assert is_antiderivative(integrand, wrong.text) is False, one
        assert (right.score, wrong.score, one.scale) == (1, 0, "0-1")
        assert right.rationale.endswith("equal.")
        assert wrong.rationale.endswith(("different.", "No function."))


def test_demonstrations_end_with_the_answer():
    for one in demonstrations(0)[:20]:
        answer = one.response.rpartition("\nAnswer: ")[2]
        assert is_antiderivative(one.instruction.split("\n")[1], answer) is True
