"""Models to evaluate, loaded one at a time."""

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
class EvalModel:
    """A model to evaluate: display name, lazy loader, local or remote. `checkpoint` is None for a remote model."""

    name: str
    open: Callable[[], Engine]
    remote: bool = False
    checkpoint: Checkpoint | None = None


@contextmanager
def load(model: EvalModel) -> Iterator[Engine]:
    """Load a model, and free its memory afterwards."""
    engine = model.open()
    try:
        yield engine
    finally:
        engine.close()
