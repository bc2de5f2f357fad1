"""Tasks in a configuration: "puzzle" or "sentences" as the model or the seed data means that of the run's own seed."""

from collections.abc import Mapping
from typing import Any

from srlm.puzzle.task import PUZZLE
from srlm.sentences.task import SENTENCES

TASKS = (PUZZLE, SENTENCES)
"""Synthetic tasks: a program knows the right answers."""


def with_task_seed(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a run with "puzzle" replaced by "puzzle:SEED" in `model` and in the sources of `seeds`.

    "sentences" is replaced in the same way in the sources; it is no model.
    """
    found = dict(settings)
    seed = found.get("seed", 0)
    if found.get("model") == PUZZLE:
        found["model"] = f"{PUZZLE}:{seed}"
    if isinstance(seeds := found.get("seeds"), Mapping):
        named = {key: f"{seeds[key]}:{seed}" for key in ("source", "eft_source") if seeds.get(key) in TASKS}
        found["seeds"] = {**seeds, **named}
    return found
