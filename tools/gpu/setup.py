"""What all parts are given: the model, the seed data, the folder for results, and the time that is left."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from srlm.seed_data import Seeds, load_seeds

ROOT = Path(__file__).parents[2]

LONGEST_INSTRUCTION = 1200
"""Characters; longer instructions are left out, so that no part waits for a few of them."""


@dataclass(frozen=True)
class Clock:
    """The time of a check. `deadline` is in seconds from the beginning; None for no limit."""

    deadline: float | None = None
    began: float = field(default_factory=time.monotonic)

    @property
    def passed(self) -> float:
        """Return the seconds since the beginning."""
        return time.monotonic() - self.began

    @property
    def left(self) -> float:
        """Return the seconds until the deadline."""
        return float("inf") if self.deadline is None else self.deadline - self.passed


@dataclass(frozen=True)
class Setup:
    """The conditions of a check.

    Attributes:
        folder: the checkpoint.
        out: folder of all results.
        seeds: source of the instructions and of the training data, as in `srlm train --seeds`.
        device: "cuda" or "cpu".
        tiny: random weights and few of everything, for a processor.
        instructions: new instructions of the iteration.
        vllm_python: the Python of an environment with vLLM; None for none.
        clock: the time that is left.
    """

    folder: Path
    out: Path
    seeds: str
    device: str
    tiny: bool
    instructions: int
    vllm_python: str | None
    clock: Clock

    @cached_property
    def seed_data(self) -> Seeds:
        """Return the seed data, without records that have turns before the instruction."""
        found = load_seeds(self.seeds)
        return Seeds(
            tuple(one for one in found.ift if not one.context),
            tuple(one for one in found.eft if not one.context),
            tuple(one for one in found.validation if not one.context),
        )

    @cached_property
    def texts(self) -> Sequence[str]:
        """Return the instructions of the seed data that are not very long."""
        seeds = self.seed_data
        every = [*(one.instruction for one in seeds.ift), *(one.instruction for one in seeds.eft)]
        return [text for text in every if len(text) <= LONGEST_INSTRUCTION]
