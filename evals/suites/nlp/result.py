"""Stored result of the suite nlp."""

from dataclasses import dataclass
from typing import Literal

from evals.results import Provenance
from srlm.types import SCHEMA


@dataclass(frozen=True)
class TaskMetric:
    """A metric of a task as lm-eval computes it, and lm-eval's standard error, None where it has none."""

    value: float
    stderr: float | None


@dataclass(frozen=True)
class TaskResult:
    """One model on one task or group of lm-eval.

    `figures` and `items` are by metric and filter, in lm-eval's form: "acc,none". An item is its place in the split,
    from 0, after the name of its task where a group has several; metrics without a value for each item are left out of
    `items`. `parts` are the metrics of a group's tasks; `better` is the direction of each metric.
    """

    model: str
    task: str
    provenance: Provenance
    figures: dict[str, TaskMetric]
    parts: dict[str, dict[str, TaskMetric]]
    items: dict[str, dict[str, float]]
    better: dict[str, Literal["more", "less", "neither"]]

    @property
    def suite(self) -> str:
        """Return the suite and the task, as messages name a task that cannot be compared."""
        return f"nlp ({self.task})"


@dataclass(frozen=True)
class NlpResult:
    """One model on tasks of lm-eval, each with a provenance of its own, so that one may be added to the others."""

    model: str
    identity: str
    tasks: dict[str, TaskResult]
    suite: str = "nlp"
    schema: int = SCHEMA
