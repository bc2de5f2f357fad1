"""Options of evaluation suites, as data: `srlm eval` and `srlm.evaluate` are built from what the suites declare."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evals.model import Contestant
    from srlm.console import Progress
    from srlm.runs import Run


@dataclass(frozen=True)
class Option:
    """An option of one suite or several, `--max-tokens` on the command line and `max_tokens=` in Python.

    Several suites share an option by naming the same object. `least` and `most` bound a number.
    """

    name: str
    help: str
    type: type[str] | type[int] | type[float] = str
    metavar: str | None = None
    least: float | None = None
    most: float | None = None

    @property
    def flag(self) -> str:
        """Return the option as the user writes it: `--max-tokens`."""
        return f"--{self.name.replace('_', '-')}"


@dataclass(frozen=True)
class Preparation:
    """The input of a suite's `prepare`: the options that the user gave, and what they are to be applied to.

    `every` is true where all suites were asked for, so that a suite may fall back to what needs no network.
    """

    options: Mapping[str, Any]
    names: Sequence[str]
    models: "Sequence[Contestant]"
    run: "Run"
    progress: "Progress"
    every: bool = False


Job = Callable[["Sequence[Contestant]", "Contestant", "Run", "Progress"], Sequence[Any]]
"""A prepared suite: given models, outside judge, run and progress, it stores and returns one result a model (or pair)."""
