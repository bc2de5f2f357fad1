"""The models that a command names, opened one at a time."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from srlm.engines.engine import Engine


@dataclass(frozen=True)
class Checkpoint:
    """A model as a folder, for a library that loads it by itself; device and dtype as in `srlm.config.TrainConfig`."""

    folder: Callable[[], Path]
    device: str = "auto"
    dtype: str = "auto"


@dataclass(frozen=True)
class Contestant:
    """A model under its name in tables, how to open it, and whether its calls go to a server.

    `checkpoint` is None for a model that is not here.
    """

    name: str
    open: Callable[[], Engine]
    remote: bool = False
    checkpoint: Checkpoint | None = None


@contextmanager
def opened(contestant: Contestant) -> Iterator[Engine]:
    """Open a model, and free its memory afterwards."""
    engine = contestant.open()
    try:
        yield engine
    finally:
        engine.close()
