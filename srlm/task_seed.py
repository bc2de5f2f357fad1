"""Tasks in a configuration: "puzzle" or "sentences" as the model or the seed data means that of the run's own seed."""

from collections.abc import Mapping
from typing import Any

from srlm.countdown.task import COUNTDOWN
from srlm.integration.task import INTEGRATION
from srlm.puzzle.task import PUZZLE
from srlm.sentences.task import SENTENCES

TASKS = (PUZZLE, SENTENCES)
"""Synthetic tasks of the loop with pairs: a program knows the right answers."""
SEEDED = (*TASKS, COUNTDOWN, INTEGRATION)
"""Tasks with seed data that a program makes."""


def with_task_seed(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a run with "puzzle" replaced by "puzzle:SEED" in `model` and in the sources of `seeds`.

    The other tasks are replaced in the same way in the sources; they are no models.
    """
    found = dict(settings)
    seed = found.get("seed", 0)
    if found.get("model") == PUZZLE:
        found["model"] = f"{PUZZLE}:{seed}"
    if isinstance(seeds := found.get("seeds"), Mapping):
        named = {key: f"{seeds[key]}:{seed}" for key in ("source", "eft_source") if seeds.get(key) in SEEDED}
        found["seeds"] = {**seeds, **named}
    return found
