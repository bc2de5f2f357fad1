"""Report the metrics of each iteration to TensorBoard and Weights & Biases."""

from dataclasses import asdict

from srlm.iteration_metrics import IterationMetrics
from srlm.rollout_metrics import RolloutMetrics
from srlm.runs import Run
from srlm.trackers import FOLDER, open_trackers

DERIVED = {
    "canary_gap": "degenerate_gap",
    "pair_yield": "pair_yield",
    "length_gap_share": "length_gap_share",
    "contaminated_share": "contaminated_share",
}
"""Metrics that are properties of the record: their names in trackers, which must not change, and their properties."""


def report_metrics(run: Run, number: int, metrics: IterationMetrics | RolloutMetrics) -> None:
    """Log the metrics of an iteration at its number. Logged again, they replace the earlier values."""
    with open_trackers(run.config.report_to, run.folder / FOLDER / "monitor", "monitor", run.name, number) as trackers:
        for one in trackers:
            one.log({f"monitor/{name}": value for name, value in scalars(metrics).items()}, step=number)


def scalars(metrics: IterationMetrics | RolloutMetrics) -> dict[str, float]:
    """Return all metrics that are numbers; of those by kind, one number per kind with the name `METRIC/KIND`.

    Those of the audits of an iteration of rollouts are named `last/precision`.
    """
    derived = DERIVED if isinstance(metrics, IterationMetrics) else {}
    found: dict[str, float] = {}
    for name, value in {
        **asdict(metrics),
        **{name: getattr(metrics, source) for name, source in derived.items()},
    }.items():
        parts = {f"{name}/{kind}": one for kind, one in value.items()} if isinstance(value, dict) else {name: value}
        found |= {
            key: one
            for key, one in parts.items()
            if isinstance(one, int | float) and key.rpartition("/")[2] != "schema"
        }
    return found
