"""lm-eval's results of one model on one task or group, as data, turned into what is kept of them."""

from collections.abc import Mapping
from typing import Any, Literal

from evals.results import Figure, Provenance, TaskResult


def task_result(model: str, name: str, provenance: Provenance, found: Mapping[str, Any]) -> TaskResult:
    """What is kept of lm-eval's results of a model on one task or group."""
    parts = [part for part in found["samples"] if part != name]
    items: dict[str, dict[str, float]] = {}
    for part, rows in found["samples"].items():
        for row in rows:
            place = f"{part}/{row['doc_id']}" if parts else str(row["doc_id"])
            for metric in row["metrics"]:
                if isinstance(row[metric], int | float):  # a metric of whole texts has pairs here, or nothing
                    items.setdefault(f"{metric},{row['filter']}", {})[place] = float(row[metric])
    figures = _figures(found["results"][name])
    directions = found["higher_is_better"].get(name, {})
    return TaskResult(
        model,
        name,
        provenance,
        figures,
        {part: _figures(found["results"][part]) for part in parts},
        {metric: values for metric, values in items.items() if metric in figures},
        {metric: _better(directions.get(metric.partition(",")[0])) for metric in figures},
    )


def _figures(row: Mapping[str, Any]) -> dict[str, Figure]:
    found: dict[str, Figure] = {}
    for key, value in row.items():
        metric, comma, kind = key.partition(",")
        if comma and not metric.endswith("_stderr"):
            error = row.get(f"{metric}_stderr,{kind}")
            found[key] = Figure(float(value), float(error) if isinstance(error, int | float) else None)
    return found


def _better(higher: bool | None) -> Literal["more", "less", "neither"]:
    return "neither" if higher is None else "more" if higher else "less"
