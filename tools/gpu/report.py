"""The record of a part: what was measured, and which results must be equal; written as one JSON line.

A number that is not finite is a fault of the part: JSON has no such number, and no measurement is one.
"""

import json
import math
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Equality:
    """Results of two ways to compute the same: `same` of `of` agree, and all must, if it is required."""

    same: int
    of: int
    required: bool

    @property
    def holds(self) -> bool:
        """Return whether all agree, or need not."""
        return not self.required or self.same == self.of > 0

    def as_json(self) -> dict[str, Any]:
        """Return the fields of the line, with the share that agrees."""
        share = self.same / self.of if self.of else 0.0
        return {"same": self.same, "of": self.of, "share": share, "required": self.required, "holds": self.holds}


@dataclass
class Report:
    """What one part has found so far. Each finding is printed on standard error at once."""

    part: str
    measured: dict[str, Any] = field(default_factory=dict)
    equalities: dict[str, Equality] = field(default_factory=dict)

    def add(self, name: str, **found: Any) -> None:
        """Add a measurement under a name."""
        self.measured[name] = found
        self._print(name, found)

    def compare(self, name: str, same: int, of: int, *, required: bool = True) -> None:
        """Add a comparison: `same` of `of` results agree. If it is required, the check fails unless all do."""
        self.equalities[name] = Equality(same, of, required)
        self._print(name, self.equalities[name].as_json())

    def line(self, error: str | None, **context: Any) -> dict[str, Any]:
        """Return the line of this part.

        Args:
            error: why the part ended early; None if it did not.
            context: further fields, such as seconds, versions and configuration.
        """
        measured, faulty = _finite(self.measured)
        if faulty and error is None:
            error = f"not a finite number: {', '.join(faulty)}"
        equalities = {name: one.as_json() for name, one in self.equalities.items()}
        passed = error is None and all(one.holds for one in self.equalities.values())
        found = {"measured": measured, "equalities": equalities}
        return {"part": self.part, "passed": passed, "error": error, **found, **context}

    def _print(self, name: str, found: dict[str, Any]) -> None:
        print(f"{self.part}: {name}: {json.dumps(found, default=str)}", file=sys.stderr, flush=True)


def write_line(path: Path, line: dict[str, Any]) -> None:
    """Append a line to the file and to standard output; it is on the disk when this returns."""
    text = json.dumps(line, allow_nan=False)
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{text}\n")
        file.flush()
        os.fsync(file.fileno())
    print(text, flush=True)


def _finite(value: Any, name: str = "") -> tuple[Any, list[str]]:
    """Return the value with null for numbers that are not finite, and the names of these."""
    if isinstance(value, float) and not math.isfinite(value):
        return None, [name]
    if isinstance(value, dict):
        parts = {key: _finite(one, f"{name}.{key}" if name else str(key)) for key, one in value.items()}
        return {key: one for key, (one, _) in parts.items()}, [bad for _, found in parts.values() for bad in found]
    if isinstance(value, list | tuple):
        items = [_finite(one, f"{name}[{number}]") for number, one in enumerate(value)]
        return [one for one, _ in items], [bad for _, found in items for bad in found]
    return value, []
