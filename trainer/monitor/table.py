"""Terminal output of the monitor: a table with iterations as columns, and one line for each iteration as it ends."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from srlm.iteration_metrics import IterationMetrics, PositivesMetrics

if TYPE_CHECKING:
    from rich.table import Table


def metrics_line(one: IterationMetrics) -> str:
    """Return an iteration's metrics in one line, for the log."""
    drift = "" if one.length_drift is None else f" ({one.length_drift:+.0%})"
    vetoed = f"; {one.vetoed} vetoed" if one.vetoed else ""
    empty = f"; {one.only_thoughts} answers are only reasoning" if one.only_thoughts else ""
    return (
        f"{one.model}: {_training_data(one)} of {one.instructions} instructions; answers of {one.mean_length:.0f} "
        f"characters{drift}; mean reward {_number(one.mean_reward)}, degenerate answers {_number(one.canary_reward)}"
        f"{vetoed}; {one.parse_rate:.0%} of the verdicts parsed{empty}"
    )


def metrics_table(iterations: Sequence[IterationMetrics]) -> "Table":
    """Return the metrics of each iteration, models as columns. Rows without a value are left out."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(title="Training data of each iteration", title_justify="left")
    table.add_column("")
    for one in iterations:
        table.add_column(escape(one.model), justify="right")
    for label, cell in ROWS:
        cells = [cell(one) for one in iterations]
        if any(text != "-" for text in cells):
            table.add_row(label, *map(escape, cells))
    return table


def _training_data(one: IterationMetrics) -> str:
    return f"{one.positives} positives" if isinstance(one, PositivesMetrics) else f"{one.pairs} pairs"


def _of_positives(cell: Callable[[PositivesMetrics], str]) -> Callable[[IterationMetrics], str]:
    """Return a cell that is empty for an iteration that trains on pairs."""
    return lambda one: cell(one) if isinstance(one, PositivesMetrics) else "-"


def _number(value: float | None) -> str:
    """Return a number with two digits, or with three that count where these would be zeros."""
    return "-" if value is None else f"{value:.3g}" if 0 < abs(value) < 0.01 else f"{value:.2f}"


def _signed(value: float | None, digits: int = 0) -> str:
    return "-" if value is None else f"{value:+.{digits}f}"


def _share(value: float | None, sign: str = "") -> str:
    return "-" if value is None else f"{value:{sign}.0%}"


def _counts(of: dict[str, int]) -> str:
    return "\n".join(f"{reason} {count}" for reason, count in of.items()) or "-"


def _histogram(one: IterationMetrics) -> str:
    if one.highest is None:
        return "-"
    return " ".join(str(one.score_histogram.get(str(score), 0)) for score in range(one.highest + 1))


def _degenerate(one: IterationMetrics) -> str:
    return "\n".join(f"{kind} {reward:.2f}" for kind, reward in one.canary_rewards.items()) or "-"


ROWS: tuple[tuple[str, Callable[[IterationMetrics], str]], ...] = (
    ("new instructions", lambda one: str(one.instructions)),
    ("  refused", lambda one: _counts(one.refused)),
    ("  refused as too similar, of all generated", lambda one: _share(one.duplicate_rate)),
    ("  diversity (0 to 1)", lambda one: _number(one.diversity)),
    ("  overlap with the evaluation set", lambda one: str(len(one.contaminated))),
    ("candidates", lambda one: str(one.candidates)),
    ("  mean length, characters", lambda one: f"{one.mean_length:.0f}"),
    ("  change to the iteration before", lambda one: _share(one.length_drift, "+")),
    ("  truncated at the token limit", lambda one: _share(one.cut_share)),
    ("  reasoning without an answer", lambda one: str(one.only_thoughts or "-")),
    ("parsed verdicts", lambda one: _share(one.parse_rate)),
    ("  scores, 0 to the highest", _histogram),
    ("  share of the highest score", lambda one: _share(one.top_share)),
    ("rewards, lowest to highest by quarters", lambda one: " ".join(map(_number, one.quartiles or ())) or "-"),
    ("  vetoed", lambda one: str(one.vetoed or "-")),
    ("  spread over the verdicts on one answer", lambda one: _number(one.spread)),
    ("mean reward", lambda one: _number(one.mean_reward)),
    ("  of degenerate answers", lambda one: _number(one.canary_reward)),
    ("    by kind", _degenerate),
    ("  by the frozen judge", lambda one: _number(one.frozen_reward)),
    ("  above the frozen judge's", lambda one: _signed(one.self_excess, 2)),
    ("preference pairs", lambda one: "-" if isinstance(one, PositivesMetrics) else str(one.pairs)),
    ("positives", _of_positives(lambda one: str(one.positives))),
    ("  instructions with one", _of_positives(lambda one: str(one.positive_instructions))),
    ("  longer than all candidates, characters", _of_positives(lambda one: _signed(one.positives_longer))),
    ("  dropped", lambda one: _counts(one.dropped)),
    ("  chosen - rejected, characters", lambda one: _signed(one.length_gap)),
    ("  chosen - rejected, points", lambda one: _signed(one.reward_gap, 2)),
)
