"""The speed of a local model on this machine, measured in seconds before a run.

Each measurement begins with one row and takes four times as many while that is short, so that a tiny model is measured
in the batches in which it will run, and a large one does not wait for them. Nothing is stored: no ledger is asked, and
the engine draws from generators of its own.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from srlm.engines.engine import Engine, no_progress
from srlm.types import Completion, Message, Request, Sampling

READ_S, WRITE_S = 1.0, 3.0
"""Longest measurements in seconds: four times the rows take at most four times as long."""
GROWTH = 4
WRITTEN = 4
"""Tokens that each row writes."""
SHORT = 12
"""Characters of the prompt to which rows write, so that reading it takes no time."""


@dataclass(frozen=True)
class Speed:
    """Tokens a second: of prompts that are read, and of answers that are written, over all rows together."""

    read: float
    write: float


def measure_speed(engine: Engine, texts: Sequence[str], rows: int) -> Speed:
    """Measure a model with prompts of these texts, in at most `rows` rows at once.

    Raises:
        SrlmError: the model cannot be loaded, or gives no finite numbers.
    """
    _seconds(engine, [_reading(texts[0], 0)])  # loads the weights

    def read(count: int) -> list[Request]:
        return [_reading(texts[place % len(texts)], place) for place in range(count)]

    def write(count: int) -> list[Request]:
        prompt = (Message("user", texts[0][:SHORT]),)
        return [Request(prompt, Sampling(1.0, 1.0, WRITTEN), seed=place, sample=place) for place in range(count)]

    seconds, replies = _grown(engine, read, rows, READ_S)
    reading = sum(reply.prompt_tokens for reply in replies) / seconds
    seconds, replies = _grown(engine, write, rows, WRITE_S)
    return Speed(reading, sum(reply.completion_tokens for reply in replies) / seconds)


def _reading(text: str, place: int) -> Request:
    """Return a request that is nearly all reading. The number keeps engines from sharing the text of equal prompts."""
    return Request((Message("user", f"{place} {text}"),), Sampling(0.0, 1.0, 1))


def _grown(
    engine: Engine, requests: Callable[[int], list[Request]], rows: int, most: float
) -> tuple[float, list[Completion]]:
    """Measure with as many rows as take no longer than `most` seconds; return the seconds and the answers."""
    count = 1
    while True:
        seconds, replies = _seconds(engine, requests(count))
        if GROWTH * seconds > most or count >= rows:
            return seconds, replies
        count = min(rows, GROWTH * count)


def _seconds(engine: Engine, requests: list[Request]) -> tuple[float, list[Completion]]:
    """Return how long a batch took, never 0, and its answers."""
    (result,) = engine.run([requests], no_progress)
    return max(result.seconds, 1e-6), [reply for reply in result.replies if isinstance(reply, Completion)]
