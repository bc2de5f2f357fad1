"""Puzzles as a checked benchmark: the test part of the synthetic task, which no run of any seed has learned from."""

from evals.suites.verifiable.benchmark import CheckedBenchmark, CheckedPrompt, CheckResult
from srlm.puzzle.task import LENGTH, PUZZLE, Puzzle, puzzles
from srlm.types import Prompt

PUZZLES = 1000
"""The number of puzzles, unless fewer are asked for."""


def puzzle_benchmark(limit: int | None) -> CheckedBenchmark:
    """Return the first puzzles of the test part; each relation is an instruction.

    A malformed answer keeps no relation. White space around an answer does not count.
    """
    prompts = tuple(
        CheckedPrompt(Prompt(f"{PUZZLE}-{puzzle.relations}", puzzle.relations, "evaluation"), tuple(puzzle.relations))
        for puzzle in puzzles("test", 0)[: limit or PUZZLES]
    )
    return CheckedBenchmark(PUZZLE, f"the checker of the {PUZZLE} world", prompts, LENGTH + 2, _check)


def _check(prompt: CheckedPrompt, answer: str) -> CheckResult:
    kept = Puzzle(prompt.prompt.instruction).check(answer.strip())
    return CheckResult(tuple(letter == "y" for letter in kept))
