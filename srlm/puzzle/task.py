"""The puzzle: digits 1 to 5 such that each pair of neighbours stands in the relation that is given, "<", "=" or ">".

"<<>" is solved by "1352". To write a solution one must look ahead: "<<<<" has to begin with 1. To check one it is
enough to look at two digits at a time. All functions are pure; randomness comes in as a generator.

What may be used for what is decided once for all puzzles, by the hash of their relations: no seed of any run can bring
a puzzle of the test set into training.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import pairwise, product
from typing import Literal

from srlm.seeding import derive_seed

LENGTH = 10
"""Digits of a solution."""
VALUES = 5
"""Digits run from 1 to this."""
RELATIONS = "<=>"
FULL_SCORE = 5

PUZZLE = "puzzle"
"""How a configuration names this world's model, seeds and instructions."""

Part = Literal["ift", "eft", "validation", "loop", "test"]
SHARES: dict[Part, int] = {"ift": 1, "eft": 4, "validation": 1, "loop": 10, "test": 4}
"""How many of 20 puzzles may be used for what: demonstrations, judgements, judgements held out, the loop, the test."""


@dataclass(frozen=True)
class Puzzle:
    """The relations between neighbours, from left to right."""

    relations: str

    def __post_init__(self) -> None:
        """Refuse what is no puzzle."""
        if not self.relations or set(self.relations) - set(RELATIONS):
            raise ValueError(f"a puzzle is written in {RELATIONS}, not {self.relations!r}")

    @cached_property
    def solutions(self) -> int:
        """How many there are."""
        return sum(_ways(self.relations))

    def well_formed(self, answer: str) -> bool:
        """Whether an answer has as many digits as it should, and nothing else."""
        return len(answer) == len(self.relations) + 1 and all(digit in _DIGITS for digit in answer)

    def check(self, answer: str) -> str:
        """A letter for each relation: "y" where the answer keeps it, "n" where not, and "n" for all if malformed."""
        if not self.well_formed(answer):
            return "n" * len(self.relations)
        neighbours = pairwise(answer)
        return "".join(
            "y" if _holds(left, relation, right) else "n"
            for relation, (left, right) in zip(self.relations, neighbours, strict=True)
        )

    def score(self, answer: str) -> int:
        """5 for a solution, a point less for each violated relation, never below 0; 0 for a malformed answer."""
        return max(0, FULL_SCORE - self.check(answer).count("n")) if self.well_formed(answer) else 0

    def solve(self, chance: random.Random) -> str | None:
        """A solution, each with the same probability; None where there is none."""
        if not self.solutions:
            return None
        answer = ""
        for place in range(len(self.relations) + 1):
            weights = _ways(self.relations[place:])
            fitting = [digit for digit in _DIGITS if not answer or _holds(answer[-1], self.relations[place - 1], digit)]
            answer += chance.choices(fitting, [weights[_DIGITS.index(digit)] for digit in fitting])[0]
        return answer

    @property
    def part(self) -> Part:
        """What this puzzle may be used for."""
        place = derive_seed("puzzle", self.relations) % sum(SHARES.values())
        for part, share in SHARES.items():
            place -= share
            if place < 0:
                return part
        raise AssertionError("the shares cover every place")


_DIGITS = "".join(str(value) for value in range(1, VALUES + 1))


def _holds(left: str, relation: str, right: str) -> bool:
    return relation == ("<" if left < right else ">" if left > right else "=")


@cache
def _ways(relations: str) -> tuple[int, ...]:
    """For each first digit, how many strings of digits keep all relations."""
    if not relations:
        return (1,) * VALUES
    rest = _ways(relations[1:])
    return tuple(
        sum(ways for right, ways in zip(_DIGITS, rest, strict=True) if _holds(left, relations[0], right))
        for left in _DIGITS
    )


def puzzles(part: Part, seed: int) -> list[Puzzle]:
    """All puzzles of a part that have a solution, in an order that hangs on the seed."""
    return sorted(_solvable(part), key=lambda puzzle: derive_seed(seed, part, puzzle.relations))


@cache
def _solvable(part: Part) -> tuple[Puzzle, ...]:
    return tuple(puzzle for puzzle in _all() if puzzle.part == part and puzzle.solutions)


def _all() -> Iterator[Puzzle]:
    return (Puzzle("".join(relations)) for relations in product(RELATIONS, repeat=LENGTH - 1))


def puzzle_seed(name: str) -> int | None:
    """The seed that "puzzle:7" names, 0 for "puzzle"; None for any other name."""
    kind, colon, seed = name.partition(":")
    if kind != PUZZLE or (colon and not (seed.isascii() and seed.isdigit())):
        return None
    return int(seed or 0)
