"""Where new instructions come from in the puzzle world: code makes them. Their solutions are not known to the loop."""

from collections.abc import Sequence

from srlm.errors import UsageError
from srlm.puzzle.task import puzzles
from srlm.types import Prompt


def made_prompts(model: str, count: int, seed: int, earlier: Sequence[Prompt]) -> list[Prompt]:
    """Puzzles on the way to `model` that no earlier iteration had, and that are in no seed and no test.

    Raises:
        UsageError: there are not so many.
    """
    left = puzzles("loop", seed)[len(earlier) :]
    if len(left) < count:
        raise UsageError(
            f"{model} wants {count} new puzzles, and {len(left)} are left. "
            "Set a smaller instructions.count, or fewer iterations."
        )
    return [
        Prompt(f"{model}-p{number:04d}", puzzle.relations, "generated", kind="puzzle")
        for number, puzzle in enumerate(left[:count])
    ]
