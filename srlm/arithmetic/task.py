"""Word problems from templates: names, things and numbers are drawn, and a program knows the answer.

The split of a problem is fixed by the hash of its text: templates are the same in both splits, the numbers differ. For
a greater variety of texts, a task file can take the problems of another generator (docs/howto/own_task.md).
"""

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import count
from typing import Literal

from srlm.seeding import derive_seed

ARITHMETIC = "arithmetic"
"""Name of the task and of its benchmark."""

Split = Literal["train", "test"]
TEST_SHARE = 5
"""One problem of so many is for tests alone."""
TRIES = 3000
"""Problems that are drawn in a row without a new one, before a split counts as exhausted."""

PROMPT = """\
{question}

Think it through. Then end with one line that holds nothing but the number, in this form (here for another problem):
Answer: 42"""

_NUMBER = re.compile(r"-?[0-9]{1,12}(?:\.[0-9]{1,9})?")


@dataclass(frozen=True)
class WordProblem:
    """A question, and the number that answers it."""

    question: str
    answer: int

    @property
    def id(self) -> str:
        """Return a name that depends on the text alone."""
        return f"{ARITHMETIC}-{derive_seed(ARITHMETIC, self.question):016x}"

    @property
    def split(self) -> Split:
        """Return the split of this problem."""
        return "test" if derive_seed(ARITHMETIC, "split", self.question) % TEST_SHARE == 0 else "train"

    @property
    def prompt(self) -> str:
        """Return the instruction to solve it."""
        return PROMPT.format(question=self.question)


def word_problems(split: Split, seed: int) -> Iterator[WordProblem]:
    """Yield problems of a split, each once, in an order that depends on the seed; the templates come in turn."""
    seen: set[str] = set()
    for number in count():
        chance = random.Random(derive_seed(ARITHMETIC, seed, split, number))
        template = _TEMPLATES[number % len(_TEMPLATES)]
        drawn = (_filled(template, chance) for _ in range(TRIES))
        found = next((one for one in drawn if one and one.id not in seen and one.split == split), None)
        if found is None:
            return
        seen.add(found.id)
        yield found


def read_number(text: str) -> Fraction | None:
    """Parse a number, with or without a dollar sign and commas between thousands; None for anything else."""
    plain = re.sub(r"(?<=[0-9]),(?=[0-9]{3}(?![0-9]))", "", text.strip().removeprefix("$").strip())
    return Fraction(plain) if _NUMBER.fullmatch(plain) else None


@dataclass(frozen=True)
class _Template:
    """A text with slots for names (n, m), a thing (t) and numbers (a, b, c), and the answer; None: not with these."""

    text: str
    a: range
    b: range
    c: range
    answer: Callable[[int, int, int], int | None]


def _filled(template: _Template, chance: random.Random) -> WordProblem | None:
    a, b, c = chance.choice(template.a), chance.choice(template.b), chance.choice(template.c)
    answer = template.answer(a, b, c)
    if answer is None or answer <= 0:
        return None
    first, second = chance.sample(_NAMES, 2)
    return WordProblem(template.text.format(n=first, m=second, t=chance.choice(_THINGS), a=a, b=b, c=c), answer)


def _shared(total: int, parts: int) -> int | None:
    return None if total % parts else total // parts


_NAMES = (
    "Ada",
    "Ben",
    "Chen",
    "Dora",
    "Emil",
    "Fatima",
    "Goran",
    "Hana",
    "Ivo",
    "Julia",
    "Kofi",
    "Lena",
    "Maya",
    "Noor",
)
_THINGS = ("apples", "marbles", "stickers", "pencils", "stamps", "shells", "buttons", "cards", "badges", "seeds")
_SOME, _MANY = range(2, 13), range(15, 100)

_TEMPLATES = (
    _Template(
        "{n} has {a} {t}. {m} brings {b} bags with {c} {t} each and gives them to {n}. How many {t} does {n} have now?",
        _MANY, _SOME, _SOME, lambda a, b, c: a + b * c,
    ),
    _Template(
        "{n} has {a} {t} and gives {b} of them to {m}. Then {n} finds {c} more. How many {t} does {n} have in the end?",
        _MANY, _MANY, _MANY, lambda a, b, c: a - b + c if a > b else None,
    ),
    _Template(
        "A box holds {a} rows of {b} {t}. {n} takes out {c} {t}. How many {t} are left in the box?",
        _SOME, _SOME, _MANY, lambda a, b, c: a * b - c,
    ),
    _Template(
        "{n} and {m} collect {t}. {n} collects {a}, and {m} collects {b} more than {n}. They lose {c} of all their "
        "{t}. How many {t} do they have together?",
        _MANY, _MANY, _SOME, lambda a, b, c: 2 * a + b - c,
    ),
    _Template(
        "{n} has {a} {t}, puts {b} of them aside, and shares the rest equally among {c} children. How many {t} does "
        "each child get?",
        range(20, 200), _SOME, _SOME, lambda a, b, c: _shared(a - b, c),
    ),
    _Template(
        "A ticket for the zoo costs {a} dollars for an adult and {b} dollars for a child. What do tickets for 2 adults "
        "and {c} children cost, in dollars?",
        range(8, 30), range(3, 15), _SOME, lambda a, b, c: 2 * a + b * c,
    ),
    _Template(
        "{n} reads {a} pages of a book every day for {b} days. The book has {c} pages. How many pages are left?",
        _MANY, _SOME, range(100, 900), lambda a, b, c: c - a * b,
    ),
    _Template(
        "{n} buys {a} {t} at {b} dollars each and pays with {c} dollars. How many dollars does {n} get back?",
        _SOME, _SOME, range(20, 200), lambda a, b, c: c - a * b,
    ),
    _Template(
        "A train has {a} wagons with {b} seats each. {c} seats are taken. How many seats are free?",
        _SOME, _MANY, range(20, 600), lambda a, b, c: a * b - c,
    ),
    _Template(
        "{n} saves {a} dollars a week. After {b} weeks {n} spends half of the savings, and then {c} dollars more. How "
        "many dollars are left?",
        _MANY, _SOME, _SOME, lambda a, b, c: None if a * b % 2 else a * b // 2 - c,
    ),
    _Template(
        "{m} is {a} years old. {n} is {b} times as old as {m}. How old will {n} be in {c} years?",
        range(3, 15), range(2, 7), range(2, 30), lambda a, b, c: a * b + c,
    ),
    _Template(
        "In a hall there are {a} tables with {b} chairs each. {n} carries in {c} more chairs and {m} carries out 5. "
        "How many chairs are in the hall?",
        _SOME, _SOME, _MANY, lambda a, b, c: a * b + c - 5,
    ),
    _Template(
        "A tank holds {a} litres. Every minute {b} litres flow in and {c} litres flow out. The tank is empty at first. "
        "After how many minutes is it full?",
        range(20, 400), range(5, 30), _SOME, lambda a, b, c: _shared(a, b - c) if b > c else None,
    ),
    _Template(
        "{n} bakes {a} trays of {b} cookies. {m} eats {c} cookies, and the rest is packed into bags of 4. How many "
        "bags are full?",
        _SOME, _SOME, _SOME, lambda a, b, c: (a * b - c) // 4,
    ),
)  # fmt: skip
