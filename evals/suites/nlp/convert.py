"""Conversion of lm-eval's results on one task or group to the stored record.

A value that is no number (null, [], "N/A", NaN) is left out as undefined. A group may have no metric of its own; then
those of its tasks are kept, with their items.
"""

from collections.abc import Mapping
from math import isfinite
from typing import Any, Literal

from evals.results import Provenance
from evals.suites.nlp.result import TaskMetric, TaskResult


def task_result(model: str, name: str, provenance: Provenance, found: Mapping[str, Any]) -> TaskResult:
    """Convert lm-eval's results of a model on one task or group."""
    parts = [part for part in found["samples"] if part != name]
    items: dict[str, dict[str, float]] = {}
    for part, rows in found["samples"].items():
        for row in rows:
            place = f"{part}/{row['doc_id']}" if parts else str(row["doc_id"])
            for metric in row["metrics"]:
                value = finite_number(row[metric])  # a metric of whole texts has pairs here, or nothing
                if value is not None:
                    items.setdefault(f"{metric},{row['filter']}", {})[place] = value
    figures = task_metrics(found["results"][name])
    strip_reasoning = {part: task_metrics(found["results"][part]) for part in parts}
    directions = dict(found["higher_is_better"].get(name) or {})
    for part in parts if not figures else ():
        directions |= found["higher_is_better"].get(part) or {}
    known = figures or dict.fromkeys(metric for one in strip_reasoning.values() for metric in one)
    return TaskResult(
        model,
        name,
        provenance,
        figures,
        strip_reasoning,
        {metric: values for metric, values in items.items() if metric in known},
        {metric: _better(directions.get(metric.partition(",")[0])) for metric in known},
    )


def task_metrics(row: Mapping[str, Any]) -> dict[str, TaskMetric]:
    """Return the metrics of a row of lm-eval's results that are numbers."""
    found: dict[str, TaskMetric] = {}
    for key, given in row.items():
        metric, comma, kind = key.partition(",")
        value = finite_number(given)
        if comma and not metric.endswith("_stderr") and value is not None:
            found[key] = TaskMetric(value, finite_number(row.get(f"{metric}_stderr,{kind}")))
    return found


def finite_number(value: Any) -> float | None:
    """Return a value as a number; None where it is none, or not finite."""
    try:
        found = float(value) if isinstance(value, int | float) else None
    except OverflowError:
        return None
    return found if found is not None and isfinite(found) else None


def _better(higher: bool | None) -> Literal["more", "less", "neither"]:
    return "neither" if higher is None else "more" if higher else "less"
