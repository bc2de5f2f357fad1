"""The models that a command names, opened one at a time."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from srlm.engines.engine import Engine


@dataclass(frozen=True)
class Contestant:
    """A model under its name in tables, how to open it, and whether its calls go to a server."""

    name: str
    open: Callable[[], Engine]
    remote: bool = False


@contextmanager
def opened(contestant: Contestant) -> Iterator[Engine]:
    """Open a model, and free its memory afterwards."""
    engine = contestant.open()
    try:
        yield engine
    finally:
        engine.close()
