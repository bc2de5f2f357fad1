"""lm-eval's results of one model on one task or group, as data, turned into what is kept of them.

A figure that is no number (null, [], "N/A", NaN) is left out: it is undefined, whatever the others are. A group may
have no figure of its own; then what its tasks have is kept as they are, items included.
"""

from collections.abc import Mapping
from math import isfinite
from typing import Any, Literal

from evals.results import Provenance
from evals.suites.nlp.result import TaskMetric, TaskResult


def task_result(model: str, name: str, provenance: Provenance, found: Mapping[str, Any]) -> TaskResult:
    """What is kept of lm-eval's results of a model on one task or group."""
    parts = [part for part in found["samples"] if part != name]
    items: dict[str, dict[str, float]] = {}
    for part, rows in found["samples"].items():
        for row in rows:
            place = f"{part}/{row['doc_id']}" if parts else str(row["doc_id"])
            for metric in row["metrics"]:
                value = number(row[metric])  # a metric of whole texts has pairs here, or nothing
                if value is not None:
                    items.setdefault(f"{metric},{row['filter']}", {})[place] = value
    figures = figures_of(found["results"][name])
    strip_reasoning = {part: figures_of(found["results"][part]) for part in parts}
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


def figures_of(row: Mapping[str, Any]) -> dict[str, TaskMetric]:
    """The metrics of a row of lm-eval's results that are numbers."""
    found: dict[str, TaskMetric] = {}
    for key, given in row.items():
        metric, comma, kind = key.partition(",")
        value = number(given)
        if comma and not metric.endswith("_stderr") and value is not None:
            found[key] = TaskMetric(value, number(row.get(f"{metric}_stderr,{kind}")))
    return found


def number(value: Any) -> float | None:
    """A figure as a number; None where it is none, or no finite one."""
    try:
        found = float(value) if isinstance(value, int | float) else None
    except OverflowError:
        return None
    return found if found is not None and isfinite(found) else None


def _better(higher: bool | None) -> Literal["more", "less", "neither"]:
    return "neither" if higher is None else "more" if higher else "less"
