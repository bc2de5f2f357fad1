"""The toy task in a configuration: "puzzle" as the model or the seed data means that of the run's own seed."""

from collections.abc import Mapping
from typing import Any

from srlm.puzzle.task import PUZZLE


def with_puzzle_seed(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a run with "puzzle" replaced by "puzzle:SEED" in `model` and in the sources of `seeds`."""
    found = dict(settings)
    name = f"{PUZZLE}:{found.get('seed', 0)}"
    if found.get("model") == PUZZLE:
        found["model"] = name
    if isinstance(seeds := found.get("seeds"), Mapping):
        named = {key: name for key in ("source", "eft_source") if seeds.get(key) == PUZZLE}
        found["seeds"] = {**seeds, **named}
    return found
