"""The puzzle as a task (`srlm.puzzle`): problems of the loop's split to learn from, of the test's to measure on."""

import re
from dataclasses import dataclass

from srlm.errors import UsageError
from srlm.puzzle.task import LENGTH, PUZZLE, VALUES, Puzzle, puzzles
from srlm.tasks.task import Problem, Split

_DIGITS = re.compile(rf"[1-{VALUES}]+")


@dataclass(frozen=True)
class PuzzleTask:
    """Puzzles, whose answer is a row of digits and nothing else."""

    label: str = f"{PUZZLE} ({LENGTH} digits)"
    checks: bool = True

    def problems(self, count: int, seed: int, split: Split) -> list[Problem]:
        """Return puzzles in an order that depends on the seed.

        Raises:
            UsageError: the split has fewer.
        """
        every = puzzles("test" if split == "test" else "loop", seed)
        if count > len(every):
            raise UsageError(f"The puzzle has {len(every)} problems in its split {split}, and {count} are asked for.")
        return [Problem(f"{PUZZLE}-{puzzle.relations}", puzzle.relations) for puzzle in every[:count]]

    def extract(self, text: str) -> str | None:
        """Return the digits, without white space around them; None if there is anything else in the text."""
        answer = text.strip()
        return answer if _DIGITS.fullmatch(answer) else None

    def check(self, problem: Problem, answer: str) -> bool:
        """Return whether the digits satisfy all relations; a row of the wrong length satisfies none."""
        return "n" not in Puzzle(problem.prompt).check(answer)
