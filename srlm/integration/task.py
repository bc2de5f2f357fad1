"""Integrands and their prompt: sums of one to three terms of a first course (arXiv 2505.08827 trains on integrals).

The split of an integrand is fixed by the hash of its text. What is stored of a problem is the integrand alone: the
checker (`srlm.integration.checker`) needs no solution.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Literal

from srlm.integration.terms import Term, draw_terms, sum_of
from srlm.seeding import derive_seed

INTEGRATION = "integration"
"""Name of the task, of its seed data and of its benchmark."""

Split = Literal["train", "test"]
TEST_SHARE = 5
"""One integrand of so many is for tests alone."""
TERMS = (1, 2, 3)
"""How many terms the integrands have, in turn."""
TRIES = 3000
"""Integrands that are drawn in a row without a new one, before a split counts as exhausted."""

PROMPT = """\
Find an antiderivative of this function of x:
{integrand}

Think it through. Then end with one line that holds nothing but your function, written with + - * / ^, brackets, and \
functions such as sin, exp, ln and sqrt, in this form (here for another one):
Answer: x^3/3 + 2*sin(x)"""


@dataclass(frozen=True)
class Integral:
    """The summands of an antiderivative, and so an integrand with its solution."""

    terms: tuple[Term, ...]

    @property
    def integrand(self) -> str:
        """Return the derivative of the summands as text."""
        return sum_of([term.derivative for term in self.terms])

    @property
    def solution(self) -> str:
        """Return the antiderivative as text."""
        return sum_of([(term.coefficient, term.base.function) for term in self.terms])

    @property
    def split(self) -> Split:
        """Return the split of this integrand."""
        return "test" if derive_seed(INTEGRATION, self.integrand) % TEST_SHARE == 0 else "train"

    @property
    def prompt(self) -> str:
        """Return the instruction to solve it."""
        return PROMPT.format(integrand=self.integrand)


def integrals(split: Split, seed: int) -> Iterator[Integral]:
    """Yield integrals of a split, each integrand once, in an order that depends on the seed."""
    seen: set[str] = set()
    for number in count():
        chance = random.Random(derive_seed(INTEGRATION, seed, split, number))
        terms = TERMS[number % len(TERMS)]
        drawn = (Integral(draw_terms(chance, terms)) for _ in range(TRIES))
        found = next((one for one in drawn if one.integrand not in seen and one.split == split), None)
        if found is None:
            return
        seen.add(found.integrand)
        yield found
