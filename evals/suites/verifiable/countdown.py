"""Countdown benchmark: make a target from a few numbers by arithmetic, which is hard to find and easy to check.

Each number may be used at most once, as in the television game; not all need be used. Intermediate fractions are
allowed, and values are exact (arXiv 2505.08827 trains on such puzzles; the items, their sizes and this wording are
ours). Items are generated from a solution, so that each has one; the model never sees it.

Only the last line of an answer that begins with "Answer:" is parsed, as the prompt states. It has an expression, or an
equation of it with the target. Anything else is no answer, whatever the text above it.
"""

import random
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from evals.suites.verifiable.arithmetic import Expression, read_expression
from evals.suites.verifiable.benchmark import CheckedBenchmark, CheckedPrompt, CheckResult
from srlm.seeding import derive_seed
from srlm.types import Prompt

COUNTDOWN = "countdown"
ITEMS = 400
"""The number of items, unless fewer are asked for."""
SIZES = (3, 4, 5, 6)
"""Sizes of the items, in turn."""
CARDS = (*range(1, 11), *range(1, 11), 25, 50, 75, 100)
"""The numbers of the television game, drawn without replacement."""
TARGETS = range(10, 1000)
MAX_TOKENS = 1024
CONDITIONS = ("expression", "numbers", "target")
"""Conditions of an answer: it can be parsed, uses only the given numbers, and equals the target."""

PROMPT = """\
Make {target} out of the numbers {numbers}. You may add, subtract, multiply and divide, and use brackets.
Use each number at most once; you need not use all of them, and you may use no other number.

Think it through. Then end with one line that holds nothing but your expression, written with + - * / and brackets, \
in this form (here for other numbers):
Answer: (2 + 3) * 4"""

_ANSWER = re.compile(r"[\s>#*_`-]*answer[\s*_`]*[:\uff1a](.*)", re.IGNORECASE)
_AROUND = " \t*_`$."


@dataclass(frozen=True)
class Countdown:
    """Numbers, a target, and one expression of all numbers that equals it."""

    numbers: tuple[int, ...]
    target: int
    solution: str

    @property
    def item(self) -> CheckedPrompt:
        """Return the puzzle as a prompt; its category is the number of numbers."""
        name = "-".join(map(str, (COUNTDOWN, *self.numbers, self.target)))
        given = f"{', '.join(map(str, self.numbers[:-1]))} and {self.numbers[-1]}"
        instruction = PROMPT.format(target=self.target, numbers=given)
        category = f"{len(self.numbers)} numbers"
        prompt = Prompt(name, instruction, "evaluation", category=category, reference=self.solution)
        return CheckedPrompt(prompt, CONDITIONS, ({}, {"numbers": self.numbers}, {"target": self.target}))


def countdown_benchmark(limit: int | None) -> CheckedBenchmark:
    """Return the first items; each of the three conditions is an instruction. Unparseable answers follow none."""
    items = tuple(one.item for one in islice(countdowns(), limit or ITEMS))
    return CheckedBenchmark(COUNTDOWN, "exact arithmetic", items, MAX_TOKENS, _check)


def countdowns() -> Iterator[Countdown]:
    """Yield items without end, always the same ones, each once."""
    seen: set[tuple[tuple[int, ...], int]] = set()
    number = 0
    while True:
        chance = random.Random(derive_seed(COUNTDOWN, number))
        found = None
        while found is None or (found.numbers, found.target) in seen:
            found = _draw(chance, SIZES[number % len(SIZES)])
        seen.add((found.numbers, found.target))
        number += 1
        yield found


def read_answer(text: str, target: int) -> Expression | None:
    """Parse the expression in the last line that begins with "Answer:"; None if there is none."""
    found = [match[1] for line in text.splitlines() if (match := _ANSWER.match(line))]
    if not found:
        return None
    left, equals, right = found[-1].strip(_AROUND).partition("=")
    if equals and right.strip() != str(target):
        return None
    return read_expression(left)


def _draw(chance: random.Random, size: int) -> Countdown | None:
    """Combine cards two by two until one value is left; None if that is no target."""
    numbers = tuple(sorted(chance.sample(CARDS, size)))
    values = [(number, str(number)) for number in numbers]
    while len(values) > 1:
        chance.shuffle(values)
        one, two = values.pop(), values.pop()
        values.append(_combined(chance, max(one, two), min(one, two)))
    target, solution = values[0]
    if target not in TARGETS or target in numbers:
        return None
    return Countdown(numbers, target, solution.removeprefix("(").removesuffix(")"))


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


def _check(item: CheckedPrompt, answer: str) -> CheckResult:
    numbers: Sequence[int] = item.arguments[1]["numbers"]
    target: int = item.arguments[2]["target"]
    found = read_answer(answer, target)
    if found is None:
        return CheckResult((False,) * len(CONDITIONS))
    foreign = Counter(found.numbers) - Counter(numbers)
    return CheckResult((True, not foreign, found.value == target))
