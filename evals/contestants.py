"""The models that a command names, opened one at a time."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from srlm.engines.engine import Engine


@dataclass(frozen=True)
class Contestant:
    """A model under its name in tables, and how to open it."""

    name: str
    open: Callable[[], Engine]


@contextmanager
def opened(contestant: Contestant) -> Iterator[Engine]:
    """Open a model, and free its memory afterwards."""
    engine = contestant.open()
    try:
        yield engine
    finally:
        engine.close()
