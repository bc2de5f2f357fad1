"""How the time that answers to a judge are looked through for hostile text grows with their length.

Eight times the text is to take eight times as long; a pattern that can be tried in many ways would take sixty-four
times as long, and whoever writes an answer could stop an evaluation with it. The pieces repeat the beginnings of what
`srlm/judges/injection.py` and `srlm/judges/sanitize.py` look for.
"""

import gc
import time
from statistics import median
from typing import Any

SHORT, LONG = 25_000, 200_000
"""Characters."""

ROUNDS = 5
PIECES = ("< ", "</a", "[[ ", "score: ", "ignore a b c d ", "you are a ", "### ", "<|a", "a\u200b", "x")


def bench() -> dict[str, Any]:
    """Median milliseconds of the long text of each piece, and how many times that is the short one's."""
    return {piece: {"ms": 1000 * long, "times": long / short} for piece, (short, long) in _measured().items()}


def _measured() -> dict[str, tuple[float, float]]:
    """Median seconds of the short and of the long text, side by side."""
    from srlm.judges.injection import find_injections
    from srlm.judges.rubric import load_rubric
    from srlm.judges.sanitize import sanitize

    rubric = load_rubric("additive")

    def seconds(piece: str, characters: int) -> float:
        text = ("q" + piece * characters)[:characters]  # a letter first: no length is a power of a pattern's own
        began = time.process_time()
        find_injections("a", text, rubric)
        sanitize(text, rubric.tags)
        return time.process_time() - began

    gc.disable()
    try:
        rounds = {piece: [[seconds(piece, size) for size in (SHORT, LONG)] for _ in range(ROUNDS)] for piece in PIECES}
    finally:
        gc.enable()
    return {
        piece: (median(one[0] for one in found), median(one[1] for one in found)) for piece, found in rounds.items()
    }


def card(found: dict[str, Any]) -> list[str]:
    """Lines for people."""
    lines = [f"Looking through answers: {LONG:,} characters beside {SHORT:,}, which are {LONG // SHORT} times fewer"]
    return lines + [f"  {piece!r:20} {one['ms']:7.1f} ms, {one['times']:4.1f} times" for piece, one in found.items()]
