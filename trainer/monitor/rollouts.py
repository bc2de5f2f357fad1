"""Monitor of an iteration with learn_from=rollouts: metrics from its audits, the line for the log, the table's rows.

Its alarms are raised during the training (`trainer.rollouts.alarms`); here they are only named.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from srlm.config.monitor import MonitorConfig
from srlm.rollout_metrics import RolloutMetrics
from srlm.rollouts import StepAudit
from trainer.monitor.trackers import report_metrics
from trainer.rollouts.alarms import all_alarms
from trainer.rollouts.audit import pool
from trainer.session import Session

if TYPE_CHECKING:
    from rich.table import Table


def compute_rollout_metrics(
    model: str, task: str, problems: int, audits: Sequence[StepAudit], highest: int | None, config: MonitorConfig
) -> RolloutMetrics:
    """Compute the metrics of an iteration.

    Args:
        model: that was trained.
        task: label of the task.
        problems: number of problems.
        audits: of all steps, in order.
        highest: highest score of the rubric; None for rewards without a scale.
        config: thresholds of the alarms.

    Raises:
        ValueError: there is no audit.
    """
    return RolloutMetrics(
        model=model,
        task=task,
        problems=problems,
        steps=len(audits),
        audit_steps=min(config.audit_steps, len(audits)),
        whole=pool(audits),
        first=pool(audits[: config.audit_steps]),
        last=pool(audits[-config.audit_steps :]),
        highest=highest,
        alarms={alarm.kind: alarm.step for alarm in all_alarms(audits, config)},
    )


def monitor_rollouts(session: Session, number: int, task: str, problems: int) -> RolloutMetrics:
    """Compute the metrics of iteration `number` from the audits in its folder, report them, and print their line.

    Args:
        session: of the run.
        number: of the iteration, from 1.
        task: label of the task.
        problems: number of problems that the iteration drew from.
    """
    run, model = session.run, f"M{number + 1}"

    def produce() -> list[RolloutMetrics]:
        audits, scale = run.records(f"{model}/audit", StepAudit), session.scale()
        highest = None if scale is None else scale.highest
        metrics = compute_rollout_metrics(model, task, problems, audits, highest, session.config.monitor)
        # Before the file is complete: a command that is killed in between reports the same values again.
        report_metrics(run, number, metrics)
        return [metrics]

    (metrics,) = run.stage(f"{model}/health", RolloutMetrics, produce)
    session.progress.say(rollout_line(metrics))
    return metrics


def rollout_line(one: RolloutMetrics) -> str:
    """Return an iteration's metrics in one line, for the log: of the first steps, and of the last."""
    truth = (
        f"; judged right {_change(one, 'judged_right_share', _share)}, right {_change(one, 'right_share', _share)}, "
        f"precision {_change(one, 'precision', _share)}"
        if one.has_truth
        else ""
    )
    alarms = f"; alarms: {_alarms(one)}" if one.alarms else ""
    return (
        f"{one.model}: {one.whole.answers} answers in {one.steps} steps; mean reward "
        f"{_change(one, 'mean_reward', _number)}{truth}; answers of {_change(one, 'mean_tokens', _whole)} tokens; "
        f"{one.whole.unread_share:.0%} without a reward{alarms}"
    )


def rollout_table(iterations: Sequence[RolloutMetrics]) -> "Table":
    """Return the metrics of each iteration, models as columns. Rows without a value are left out."""
    from rich.markup import escape
    from rich.table import Table

    steps = iterations[0].audit_steps
    table = Table(
        title=f"Rollouts of each iteration: first {steps} steps → last {steps} steps",
        title_justify="left",
    )
    table.add_column("")
    for one in iterations:
        table.add_column(escape(one.model), justify="right")
    for label, cell in ROWS:
        cells = [cell(one) for one in iterations]
        if any(text != "-" for text in cells):
            table.add_row(label, *map(escape, cells))
    return table


def _change(one: RolloutMetrics, name: str, form: Callable[[float | None], str]) -> str:
    """Return a value of the first steps and of the last; "-" if neither has one."""
    texts = [form(getattr(audit, name)) for audit in (one.first, one.last)]
    return "-" if set(texts) == {"-"} else " → ".join(texts)


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.0%}"


def _signed(value: float | None) -> str:
    return "-" if value is None else f"{value:+.0%}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _whole(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}"


def _alarms(one: RolloutMetrics) -> str:
    return ", ".join(f"{kind} at step {step}" for kind, step in one.alarms.items()) or "-"


def _row(name: str, form: Callable[[float | None], str]) -> Callable[[RolloutMetrics], str]:
    return lambda one: _change(one, name, form)


ROWS: tuple[tuple[str, Callable[[RolloutMetrics], str]], ...] = (
    ("task", lambda one: one.task),
    ("problems", lambda one: str(one.problems)),
    ("steps", lambda one: str(one.steps)),
    ("answers", lambda one: str(one.whole.answers)),
    ("  tokens", _row("mean_tokens", _whole)),
    ("  truncated at the token limit", _row("cut_share", _share)),
    ("  without a reward", _row("unread_share", _share)),
    ("mean reward", _row("mean_reward", _number)),
    ("  groups without spread", _row("no_spread_share", _share)),
    ("judged right", _row("judged_right_share", _share)),
    ("right by the checker", _row("right_share", _share)),
    ("  undecided", lambda one: str(one.whole.undecided) if one.has_truth and one.whole.undecided else "-"),
    ("gap", _row("gap", _signed)),
    ("precision of the judge", _row("precision", _share)),
    ("recall of the judge", _row("recall", _share)),
    ("alarms", _alarms),
)
