"""Metrics of an iteration of rollouts: first and last steps, the line, the table, and the numbers for trackers."""

from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from srlm.config.monitor import MonitorConfig
from srlm.jsonl import parse_lines, write_records
from srlm.rollout_metrics import RolloutMetrics
from srlm.rollouts import Rollout
from trainer.monitor.rollouts import compute_rollout_metrics, rollout_line, rollout_table
from trainer.monitor.trackers import scalars
from trainer.rollouts.audit import audit_step


def audit(step, right, judged):
    """Of ten answers so many are right, and so many are judged right."""
    answers = [
        Rollout(f"{step}-{n}", step, "p", "", None, 5.0 * (n < judged), 1, 0, n < judged, n < right, 20, False)
        for n in range(10)
    ]
    return audit_step(answers, 5)


@pytest.fixture(scope="module")
def metrics():
    audits = [audit(step, 4, 5) for step in (1, 2)] + [audit(step, 6, 9) for step in (3, 4, 5)]
    return compute_rollout_metrics("M2", "sums", 100, audits, 5, MonitorConfig(audit_steps=2))


def test_the_first_and_the_last_steps_are_compared(metrics):
    assert (metrics.steps, metrics.audit_steps, metrics.whole.answers) == (5, 2, 50)
    assert (metrics.first.right_share, metrics.last.right_share, metrics.whole.right_share) == (0.4, 0.6, 0.52)
    assert (metrics.first.gap, metrics.last.gap) == (0.1, 0.3)
    assert metrics.last.step == 5


def test_a_short_training_is_compared_with_itself():
    short = compute_rollout_metrics("M2", "sums", 100, [audit(1, 4, 5)], 5, MonitorConfig())
    assert short.audit_steps == 1 and short.first == short.last == short.whole


def test_the_record_is_read_as_it_was_written(metrics, tmp_path):
    write_records(tmp_path / "health.jsonl", [metrics])
    assert parse_lines(tmp_path / "health.jsonl", RolloutMetrics) == [metrics]


def test_the_line_names_reward_truth_and_alarms(metrics):
    line = rollout_line(replace(metrics, alarms={"gap": 4}))
    assert "M2: 50 answers in 5 steps; mean reward 2.50 → 4.50" in line
    assert "judged right 50% → 90%, right 40% → 60%, precision 80% → 67%" in line
    assert line.endswith("alarms: gap at step 4")


def test_without_a_checker_the_line_and_the_table_have_no_truth(metrics):
    blind = {"right_share": None, "judged_right_share": None, "precision": None, "recall": None, "gap": None}
    one = replace(
        metrics,
        **{part: replace(getattr(metrics, part), **blind) for part in ("whole", "first", "last")},
    )
    assert "right" not in rollout_line(one)
    assert "checker" not in shown(one) and "precision" not in shown(one)


def test_the_table_has_a_column_per_model(metrics):
    text = shown(metrics, replace(metrics, model="M3", alarms={"gap": 4, "length": 5}))
    assert "first 2 steps → last 2 steps" in text and "M3" in text
    assert "+10% → +30%" in text and "gap at step 4, length at step 5" in text


def test_every_number_goes_to_the_trackers(metrics):
    found = scalars(replace(metrics, alarms={"gap": 4}))
    assert (found["last/precision"], found["first/gap"], found["alarms/gap"]) == (0.6667, 0.1, 4)
    assert not any("schema" in name for name in found)


def shown(*metrics):
    output = StringIO()
    Console(file=output, width=200).print(rollout_table(metrics))
    return output.getvalue()
