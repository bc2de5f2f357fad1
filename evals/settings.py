"""Settings of a comparison: objects that change how files are read or metrics computed, found by their class.

A suite defines the classes that it needs; the others pass them on without a look.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

S = TypeVar("S")

Settings = Sequence[object]

RepeatRule = Literal["mean", "first", "last"]


@dataclass(frozen=True)
class Repeats:
    """The way to read records that a file has several times: their mean, the first or the last of them."""

    rule: RepeatRule


def find_setting(settings: Settings, kind: type[S]) -> S | None:
    """Return the setting of a class, None where there is none."""
    return next((one for one in settings if isinstance(one, kind)), None)
