"""A comparison as JSON. The format is stable; docs/reference/formats.md describes it."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from math import isfinite
from typing import Any

from evals.compare.comparison import Comparison
from evals.metric import Cell, Metric, Unit
from srlm.jsonl import without_nan
from srlm.stats.intervals import Estimate

UNIT_NAMES: dict[Unit, str] = {
    "%": "fraction",
    "chars": "characters",
    "grade": "grade",
    "elo": "elo",
    "count": "count",
    "place": "place",
    "p": "p",
    "kappa": "kappa",
    "number": "number",
}
"""The names of units in the JSON; a metric without a unit is a correlation."""


def as_json(comparison: Comparison) -> str:
    """Return the whole comparison; rates as fractions, undefined values null."""

    def estimate(one: Estimate) -> dict[str, Any]:
        return {
            "value": _finite(one.value),
            "low": _finite(one.low),
            "high": _finite(one.high),
            "n": one.n,
            "clusters": one.clusters,
        }

    def cell(one: Cell) -> dict[str, Any]:
        data: dict[str, Any] = estimate(one.estimate)
        if one.paired is not None:
            data["difference"] = {
                **estimate(one.paired.difference),
                "p_holm": _finite(one.paired.p_value),
                "wins": one.paired.wins,
                "ties": one.paired.ties,
                "losses": one.paired.losses,
                **({} if one.paired.standard_error is None else {"standard_error": one.paired.standard_error}),
            }
        return data

    def rows(metrics: Sequence[Metric], models: Sequence[str]) -> list[dict[str, Any]]:
        return [
            {
                "key": metric.key,
                "suite": metric.suite,
                "label": metric.label,
                "unit": UNIT_NAMES.get(metric.unit, "correlation"),
                "better": metric.better,
                "models": {model: cell(metric.cells[model]) for model in models},
                **({"paper": {"where": metric.paper.where, "models": metric.paper.values}} if metric.paper else {}),
            }
            for metric in metrics
        ]

    data = {
        "schema": 1,
        "baseline": comparison.baseline,
        "models": comparison.models,
        "metrics": rows(comparison.metrics, comparison.models),
        "captions": comparison.captions,
        "words": comparison.conclusions,
        "sides": [
            {
                "title": extra.title,
                "columns": extra.columns,
                "baseline": extra.baseline,
                "metrics": rows(extra.metrics, extra.columns),
                "captions": extra.captions,
            }
            for extra in comparison.extra_tables
        ],
        "distrusted": comparison.untrusted,
        "judges": [without_nan(asdict(judge)) for judge in comparison.judges],
        **({"files": comparison.files} if comparison.files else {}),
    }
    return json.dumps(data, ensure_ascii=False, indent=2)


def _finite(value: float) -> float | None:
    return value if isfinite(value) else None
