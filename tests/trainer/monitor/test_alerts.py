"""Alerts: each threshold of the settings, and the end of the command under --strict."""

from dataclasses import replace

import pytest

from srlm.config.monitor import MonitorConfig
from srlm.errors import StoppedByStrict
from trainer.monitor.alerts import CHECKS, find_alerts, raise_on_alerts


def test_a_good_iteration_gives_no_alert(good):
    assert find_alerts(good, MonitorConfig()) == []
    raise_on_alerts([])


@pytest.mark.parametrize(
    ("setting", "change"),
    [
        ("min_parse_rate", {"parse_rate": 0.79}),
        ("max_one_score", {"one_score_share": 0.91}),
        ("min_degenerate_gap", {"canary_reward": 2.3}),
        ("max_top_scores", {"top_share": 0.81}),
        ("max_length_drift", {"length_drift": 0.51}),
        ("max_length_drift", {"length_drift": -0.51}),
        ("max_length_gap", {"length_gap": 7.0}),
        ("max_length_gap", {"length_gap": -7.0}),
        ("min_pair_yield", {"pairs": 0}),
        ("max_duplicates", {"duplicate_rate": 0.51}),
        ("min_diversity", {"diversity": 0.59}),
        ("max_contaminated", {"contaminated": ["p1"]}),
        ("max_self_excess", {"self_excess": 1.01}),
    ],
)
def test_each_threshold_gives_its_alert(good, setting, change):
    (alert,) = find_alerts(replace(good, **change), MonitorConfig())
    assert alert.check.setting == setting
    assert str(alert).startswith("M2: warning: ")
    assert f"monitor.{setting} = " in str(alert)
    assert "\n" not in str(alert)
    with pytest.raises(StoppedByStrict, match=rf"monitor\.{setting} .*same command without --strict"):
        raise_on_alerts([alert])


def test_every_threshold_of_the_configuration_is_checked():
    assert sorted(check.setting for check in CHECKS) == sorted(
        set(MonitorConfig.model_fields)
        - {"degenerate_answer_prompts", "audit_steps", "min_precision", "max_gap_growth"}
    )


@pytest.mark.parametrize(("count", "words"), [(1, None), (2, "1 more warning above"), (3, "2 more warnings above")])
def test_strict_names_the_first_alert_and_counts_the_rest(good, count, words):
    found = find_alerts(replace(good, parse_rate=0.1, one_score_share=0.95, duplicate_rate=0.9), MonitorConfig())
    with pytest.raises(StoppedByStrict) as raised:
        raise_on_alerts(found[:count])
    message = str(raised.value)
    assert message.startswith("M2: share of parsed verdicts: 10.0%, below monitor.min_parse_rate")
    assert words is None or words in message
