"""New prompts of the synthetic puzzle task, made by code. The loop does not see their solutions."""

from collections.abc import Sequence

from srlm.errors import UsageError
from srlm.puzzle.task import puzzles
from srlm.types import Prompt


def puzzle_prompts(model: str, count: int, seed: int, earlier: Sequence[Prompt]) -> list[Prompt]:
    """Return puzzles for the training of `model` that are in no earlier iteration, no seed and no test set.

    Raises:
        UsageError: fewer than `count` are left.
    """
    left = puzzles("loop", seed)[len(earlier) :]
    if len(left) < count:
        raise UsageError(
            f"{model} needs {count} new puzzles, and {len(left)} are left. "
            "Set a smaller instructions.count, or fewer iterations."
        )
    return [
        Prompt(f"{model}-p{number:04d}", puzzle.relations, "generated", kind="puzzle")
        for number, puzzle in enumerate(left[:count])
    ]
