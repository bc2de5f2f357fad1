"""The puzzle: digits 1 to 5 such that neighbours satisfy the given relations, "<", "=" or ">".

"1352" solves "<<>". Writing a solution needs look-ahead: "<<<<" has to start with 1. Checking one needs two digits at a
time. All functions are pure; randomness is passed as a generator.

The split of a puzzle is fixed by the hash of its relations: no seed of any run brings a test puzzle into training.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import pairwise, product
from typing import Literal

from srlm.seeding import derive_seed, seed_in_name

LENGTH = 10
"""Digits of a solution."""
VALUES = 5
"""Digits run from 1 to this."""
RELATIONS = "<=>"
FULL_SCORE = 5

PUZZLE = "puzzle"
"""Name of the task's model, seed data and instructions in a configuration."""

Split = Literal["ift", "eft", "validation", "loop", "test"]
SHARES: dict[Split, int] = {"ift": 1, "eft": 4, "validation": 1, "loop": 10, "test": 4}
"""Number of puzzles of each split, of 20: demonstrations, judgements, validation judgements, the loop, the test."""


@dataclass(frozen=True)
class Puzzle:
    """A puzzle: the relations between neighbours, from left to right."""

    relations: str

    def __post_init__(self) -> None:
        """Refuse a string that is no puzzle."""
        if not self.relations or set(self.relations) - set(RELATIONS):
            raise ValueError(f"a puzzle is written in {RELATIONS}, not {self.relations!r}")

    @cached_property
    def solutions(self) -> int:
        """Return the number of solutions."""
        return sum(_ways(self.relations))

    def well_formed(self, answer: str) -> bool:
        """Return whether an answer has the right number of digits, and nothing else."""
        return len(answer) == len(self.relations) + 1 and all(digit in _DIGITS for digit in answer)

    def check(self, answer: str) -> str:
        """Return "y" for each relation that the answer satisfies, else "n"; all "n" for a malformed answer."""
        if not self.well_formed(answer):
            return "n" * len(self.relations)
        neighbours = pairwise(answer)
        return "".join(
            "y" if _holds(left, relation, right) else "n"
            for relation, (left, right) in zip(self.relations, neighbours, strict=True)
        )

    def score(self, answer: str) -> int:
        """Return 5 for a solution, one less for each violated relation, at least 0; 0 for a malformed answer."""
        return max(0, FULL_SCORE - self.check(answer).count("n")) if self.well_formed(answer) else 0

    def solve(self, rng: random.Random) -> str | None:
        """Sample a solution uniformly; None if there is none."""
        if not self.solutions:
            return None
        answer = ""
        for place in range(len(self.relations) + 1):
            weights = _ways(self.relations[place:])
            fitting = [digit for digit in _DIGITS if not answer or _holds(answer[-1], self.relations[place - 1], digit)]
            answer += rng.choices(fitting, [weights[_DIGITS.index(digit)] for digit in fitting])[0]
        return answer

    @property
    def split(self) -> Split:
        """Return the split of this puzzle."""
        place = derive_seed("puzzle", self.relations) % sum(SHARES.values())
        for split, share in SHARES.items():
            place -= share
            if place < 0:
                return split
        raise AssertionError("the shares cover every place")


_DIGITS = "".join(str(value) for value in range(1, VALUES + 1))


def _holds(left: str, relation: str, right: str) -> bool:
    return relation == ("<" if left < right else ">" if left > right else "=")


@cache
def _ways(relations: str) -> tuple[int, ...]:
    """Return the number of strings of digits that satisfy all relations, for each first digit."""
    if not relations:
        return (1,) * VALUES
    rest = _ways(relations[1:])
    return tuple(
        sum(ways for right, ways in zip(_DIGITS, rest, strict=True) if _holds(left, relations[0], right))
        for left in _DIGITS
    )


def puzzles(split: Split, seed: int) -> list[Puzzle]:
    """Return all solvable puzzles of a split, in an order that depends on the seed."""
    return sorted(_solvable(split), key=lambda puzzle: derive_seed(seed, split, puzzle.relations))


@cache
def _solvable(split: Split) -> tuple[Puzzle, ...]:
    return tuple(puzzle for puzzle in _all() if puzzle.split == split and puzzle.solutions)


def _all() -> Iterator[Puzzle]:
    return (Puzzle("".join(relations)) for relations in product(RELATIONS, repeat=LENGTH - 1))


def puzzle_seed(name: str) -> int | None:
    """Return the seed in a name: 7 for "puzzle:7", 0 for "puzzle"; None for any other name."""
    return seed_in_name(PUZZLE, name)
