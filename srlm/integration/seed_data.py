"""Seed data of integration, made of terms with known antiderivatives: forms to learn, for IFT and for EFT.

IFT: an antiderivative of each term, then the line with their sum. EFT: a right and a wrong function for each
integrand, judged by taking the derivative of each summand and comparing the sum. A judge that learned this reads the
function alone (`rollouts.shows: answer`).
"""

import random
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import islice
from typing import Literal

from srlm.integration.task import Integral, integrals
from srlm.integration.terms import Term, draw_base, draw_terms, sum_of
from srlm.seeding import derive_seed
from srlm.types import Demonstration, RankedAnswer, RankedPrompt

DEMONSTRATIONS = 600
RANKED = 1500
HELD_OUT = 100
"""Integrands with two judged answers each: for training, and held out."""
NO_FUNCTION = 0.04
"""Share of the wrong answers that are no function."""


def demonstrations(seed: int) -> list[Demonstration]:
    """Create solved integrals."""
    made = []
    for number, one in enumerate(_integrals(seed, "ift", DEMONSTRATIONS)):
        lines = [f"An antiderivative of {sum_of([term.derivative])} is {term}." for term in one.terms]
        made.append(Demonstration(f"ift-{number:03d}", one.prompt, "\n".join([*lines, f"Answer: {one.solution}"])))
    return made


def ranked(seed: int) -> list[RankedPrompt]:
    """Create integrals with a right and a wrong answer: the training split, then the validation split."""
    found = []
    for number, one in enumerate(_integrals(seed, "eft", RANKED + HELD_OUT)):
        chance = random.Random(derive_seed(seed, "eft", one.integrand))
        right = RankedAnswer(one.solution, 0, 1, verdict(one, one.terms))
        if chance.random() < NO_FUNCTION:
            text = chance.choice(["no antiderivative", f"{one.solution} + 2 y", f"integral of {one.integrand}", "f(x)"])
            wrong = RankedAnswer(text, 1, 0, "No function.")
        else:
            terms = wrong_terms(one, chance)
            wrong = RankedAnswer(_written(terms), 1, 0, verdict(one, terms))
        split: Literal["train", "validation"] = "train" if number < RANKED else "validation"
        found.append(RankedPrompt(f"eft-{number:04d}", one.prompt, (right, wrong), split, scale="0-1"))
    return found


def verdict(one: Integral, terms: Sequence[Term]) -> str:
    """Return the reasons of a judgement: the derivative of each summand, their sum, and the comparison."""
    steps = " ".join(f"The derivative of {term} is {sum_of([term.derivative])}." for term in terms)
    total = sum_of([term.derivative for term in terms])
    equal = "equal" if _shapes(terms) == _shapes(one.terms) else "different"
    return f"{steps} Together {total}, the function is {one.integrand}: {equal}."


def wrong_terms(one: Integral, chance: random.Random) -> tuple[Term, ...]:
    """Sample the summands of a wrong answer: one of the right ones is changed or left out, or one is added."""
    while True:
        terms = list(one.terms)
        place = chance.randrange(len(terms))
        term = terms[place]
        match chance.choice(["undivided", "sign", "coefficient", "other base", "left out", "added"]):
            case "undivided":
                terms[place] = replace(term, coefficient=term.derivative[0])
            case "sign":
                terms[place] = replace(term, coefficient=-term.coefficient)
            case "coefficient":
                terms[place] = replace(term, coefficient=term.coefficient + chance.choice([1, -1, 2]))
            case "other base":
                terms[place] = replace(term, base=draw_base(chance, term.base.family))
            case "left out":
                del terms[place]
            case _:
                terms.append(draw_terms(chance, 1)[0])
        if terms and all(term.coefficient for term in terms) and _shapes(terms) != _shapes(one.terms):
            return tuple(terms)


def _shapes(terms: Sequence[Term]) -> dict[str, Fraction]:
    """Return the derivative of a sum as coefficients of shapes."""
    found: dict[str, Fraction] = {}
    for coefficient, shape in (term.derivative for term in terms):
        found[shape] = found.get(shape, Fraction(0)) + coefficient
    return found


def _written(terms: Sequence[Term]) -> str:
    return sum_of([(term.coefficient, term.base.function) for term in terms])


def _integrals(seed: int, purpose: str, count: int) -> list[Integral]:
    return list(islice(integrals("train", derive_seed(seed, purpose)), count))
