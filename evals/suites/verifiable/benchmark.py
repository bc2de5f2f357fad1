"""An exam: instructions whose fulfilment a program can check, and the one that is made of puzzles."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from srlm.digest import digest_of_set
from srlm.puzzle.task import LENGTH, PUZZLE, Puzzle, puzzles
from srlm.types import Prompt

PUZZLES = 1000
"""Puzzles of the exam, unless fewer are asked for."""


@dataclass(frozen=True)
class Item:
    """A prompt and what its answer has to fulfil: the names of the instructions in it and the arguments of each."""

    prompt: Prompt
    instructions: tuple[str, ...]
    arguments: tuple[dict[str, Any], ...] = field(default=())


@dataclass(frozen=True)
class Followed:
    """For each instruction of an item, whether an answer follows it; `loose` where the checker is lenient too."""

    strict: tuple[bool, ...]
    loose: tuple[bool, ...] | None = None


@dataclass(frozen=True)
class Exam:
    """Items and the program that checks them. `max_tokens` is how long an answer may be unless the user says else."""

    name: str
    checker: str
    items: tuple[Item, ...]
    max_tokens: int
    check: Callable[[Item, str], Followed]

    @property
    def digest(self) -> str:
        """Tells exams apart by what they ask and what they check."""
        asked = (
            f"{one.prompt.id}\x1f{one.prompt.instruction}\x1f{one.instructions}"
            f"\x1f{[sorted(arguments.items()) for arguments in one.arguments]}\x1e"
            for one in sorted(self.items, key=lambda item: item.prompt.id)
        )
        return digest_of_set(len(self.items), asked)


def puzzle_exam(limit: int | None) -> Exam:
    """The first puzzles of the test part, which no run of any seed has learned from; each relation is an instruction.

    A malformed answer keeps no relation. White space around an answer does not count.
    """
    items = tuple(
        Item(Prompt(f"{PUZZLE}-{puzzle.relations}", puzzle.relations, "evaluation"), tuple(puzzle.relations))
        for puzzle in puzzles("test", 0)[: limit or PUZZLES]
    )
    return Exam(PUZZLE, f"the checker of the {PUZZLE} world", items, max_tokens=LENGTH + 2, check=_check_puzzle)


def _check_puzzle(item: Item, answer: str) -> Followed:
    kept = Puzzle(item.prompt.instruction).check(answer.strip())
    return Followed(tuple(letter == "y" for letter in kept))
