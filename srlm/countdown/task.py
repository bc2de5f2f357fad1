"""The Countdown puzzle: make a target from a few numbers, by one of two rules.

    exactly once   every number is used, as in TinyZero and in reasoning-gym
    at most once   not all numbers need be used, as in the television game

Intermediate fractions are allowed, and values are exact (arXiv 2505.08827 trains on such puzzles; the items, their
sizes and this wording are ours). Puzzles are made from a solution of all their numbers, so that each has one by both
rules; the model never sees it. Only the last line of an answer that begins with "Answer:" is parsed, as the prompt
states. It has an expression, or an equation of it with the target.
"""

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import count, islice
from typing import Literal

from srlm.answer_line import answer_line
from srlm.countdown.expression import Expression, read_expression
from srlm.seeding import derive_seed

COUNTDOWN = "countdown"
"""Name of the task, of its seed data and of its benchmark."""

Rule = Literal["exactly once", "at most once"]
Split = Literal["train", "test"]

ITEMS = 400
"""Puzzles of the benchmark of all sizes, which no run trains on."""
SIZES = (3, 4, 5, 6)
"""How many numbers the puzzles of the benchmark have, in turn."""
CARDS = (*range(1, 11), *range(1, 11), 25, 50, 75, 100)
"""The numbers of the television game, drawn without replacement."""
TARGETS = range(10, 1000)
TEST_SHARE = 5
"""One puzzle of so many is for tests alone."""
TRIES = 3000
"""Puzzles that are drawn in a row without a new one, before a split counts as exhausted."""

PROMPTS: dict[Rule, str] = {
    "exactly once": """\
Make {target} out of the numbers {numbers} with + - * / and brackets. Use every number exactly once, and no \
other number.

Think it through. Then end with one line that holds nothing but your expression, in this form (here for other numbers):
Answer: (2 + 3) * 4""",
    "at most once": """\
Make {target} out of the numbers {numbers}. You may add, subtract, multiply and divide, and use brackets.
Use each number at most once; you need not use all of them, and you may use no other number.

Think it through. Then end with one line that holds nothing but your expression, written with + - * / and brackets, \
in this form (here for other numbers):
Answer: (2 + 3) * 4""",
}


@dataclass(frozen=True)
class Countdown:
    """Numbers in ascending order, a target, and one expression of all numbers that equals it, empty if unknown."""

    numbers: tuple[int, ...]
    target: int
    solution: str = ""

    @property
    def id(self) -> str:
        """Return a name without the solution: "countdown-2-3-25-81"."""
        return "-".join(map(str, (COUNTDOWN, *self.numbers, self.target)))

    @property
    def split(self) -> Split:
        """Return the split of this puzzle, fixed by its hash; puzzles of the benchmark are in none but the test."""
        drawn = derive_seed(COUNTDOWN, self.numbers, self.target) % TEST_SHARE == 0
        return "test" if drawn or self.id in _benchmark_ids() else "train"

    def prompt(self, rule: Rule) -> str:
        """Return the instruction to solve it by a rule."""
        given = f"{', '.join(map(str, self.numbers[:-1]))} and {self.numbers[-1]}"
        return PROMPTS[rule].format(target=self.target, numbers=given)


def countdowns() -> Iterator[Countdown]:
    """Yield the puzzles of the benchmark without end, always the same ones, each once."""
    seen: set[str] = set()
    for number in count():
        chance = random.Random(derive_seed(COUNTDOWN, number))
        found = None
        while found is None or found.id in seen:
            found = draw(chance, SIZES[number % len(SIZES)])
        seen.add(found.id)
        yield found


def countdowns_of(split: Split, seed: int, sizes: Sequence[int]) -> Iterator[Countdown]:
    """Yield puzzles of a split, each once, in an order that depends on the seed; it ends where no new one is found.

    Args:
        split: to learn from, or to measure on.
        seed: of the order.
        sizes: how many numbers the puzzles have, in turn.
    """
    seen: set[str] = set()
    for number in count():
        chance = random.Random(derive_seed(COUNTDOWN, seed, split, number))
        size = sizes[number % len(sizes)]
        drawn = (draw(chance, size) for _ in range(TRIES))
        found = next((one for one in drawn if one and one.id not in seen and one.split == split), None)
        if found is None:
            return
        seen.add(found.id)
        yield found


def read_answer(text: str, target: int) -> Expression | None:
    """Parse the expression in the last line that begins with "Answer:"; None if there is none."""
    line = answer_line(text)
    return None if line is None else read_equation(line, target)


def read_equation(text: str, target: int) -> Expression | None:
    """Parse an expression, or the equation of one with the target; None if it is neither."""
    left, equals, right = text.partition("=")
    if equals and right.strip() != str(target):
        return None
    return read_expression(left)


def uses(found: Expression, numbers: Sequence[int], rule: Rule) -> bool:
    """Return whether an expression uses the numbers as the rule asks."""
    used, given = Counter(found.numbers), Counter(numbers)
    return used == given if rule == "exactly once" else not used - given


def draw(chance: random.Random, size: int) -> Countdown | None:
    """Draw cards, and combine them to a target; None if their value is none."""
    numbers = tuple(sorted(chance.sample(CARDS, size)))
    target, solution = combine(chance, numbers)
    if target not in TARGETS or target in numbers:
        return None
    return Countdown(numbers, target, solution)


def combine(chance: random.Random, numbers: Sequence[int]) -> tuple[int, str]:
    """Combine numbers two by two until one value is left, in random order; return it with its expression."""
    values = [(number, str(number)) for number in numbers]
    while len(values) > 1:
        chance.shuffle(values)
        one, two = values.pop(), values.pop()
        values.append(_combined(chance, max(one, two), min(one, two)))
    value, expression = values[0]
    return value, expression.removeprefix("(").removesuffix(")")


def _combined(chance: random.Random, larger: tuple[int, str], smaller: tuple[int, str]) -> tuple[int, str]:
    """Combine two values by an operation whose result is a whole number above 0."""
    (a, left), (b, right) = larger, smaller
    results = {"+": a + b, "*": a * b}
    if a > b:
        results["-"] = a - b
    if a % b == 0:
        results["/"] = a // b
    sign = chance.choice(sorted(results))
    return results[sign], f"({left} {sign} {right})"


@cache
def _benchmark_ids() -> frozenset[str]:
    return frozenset(one.id for one in islice(countdowns(), ITEMS))
