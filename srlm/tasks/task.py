"""A task: a source of problems, the prompt of a problem, the answer in a text, and a checker where there is one.

The checker is never asked for a reward. It runs next to the judge, and says how far the judge can be believed
(`trainer/rollouts/audit.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from srlm.types import SCHEMA

Split = Literal["train", "test"]
"""Problems to learn from, and problems to measure on. No problem is in both, for any seed."""


@dataclass(frozen=True)
class Problem:
    """A problem: an id that is unique in its task, the prompt, and what the checker needs, as JSON."""

    id: str
    prompt: str
    data: Mapping[str, Any] = field(default_factory=dict)
    schema: int = SCHEMA


class Task(Protocol):
    """A source of problems."""

    @property
    def label(self) -> str:
        """Return name and rules, as every result names them: "countdown (exactly once, 3 numbers)"."""
        ...

    @property
    def checks(self) -> bool:
        """Return whether `check` can say something."""
        ...

    def problems(self, count: int, seed: int, split: Split) -> list[Problem]:
        """Return problems in an order that depends on the seed.

        Raises:
            UsageError: there are fewer than `count`.
        """
        ...

    def extract(self, text: str) -> str | None:
        """Return the answer in a model's text; None if there is none in the form that the prompt asks for."""
        ...

    def check(self, problem: Problem, answer: str) -> bool | None:
        """Return whether an extracted answer is right; None if that cannot be decided."""
        ...
