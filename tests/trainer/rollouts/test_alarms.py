"""Alarms over made audits: each kind, where chance explains a difference, and once per training."""

from dataclasses import replace
from random import Random

import pytest

from srlm.config.monitor import MonitorConfig
from srlm.rollouts import Rollout
from trainer.rollouts.alarms import all_alarms, find_alarms
from trainer.rollouts.audit import audit_step

CONFIG = MonitorConfig(audit_steps=5)


def step(number, right=10, wrongly_right=2, wrongly_wrong=2, answers=40, tokens=20):
    """The audit of a step: `right` answers are right, and the judge errs on so many."""
    truths = [place < right for place in range(answers)]
    judged = [place < right - wrongly_wrong or right <= place < right + wrongly_right for place in range(answers)]
    return audit_step(
        [
            Rollout(f"{place}", number, "p", "", None, 5.0 if good else 0.0, 1, 0, good, truth, tokens, False)
            for place, (good, truth) in enumerate(zip(judged, truths, strict=True))
        ],
        answers,
    )


def steps(*changes):
    return [step(number, **one) for number, one in enumerate(changes, start=1)]


def test_an_honest_training_has_no_alarm():
    assert all_alarms(steps(*({"right": 10 + place} for place in range(25))), CONFIG) == []
    assert all_alarms([], CONFIG) == find_alarms(steps({}), CONFIG) == []


def test_a_gap_that_grows_gives_one_alarm_at_its_first_step():
    audits = steps(*[{}] * 8, *({"wrongly_right": 2 + 2 * place} for place in range(9)))
    (alarm,) = all_alarms(audits, CONFIG)
    assert (alarm.kind, alarm.first) == ("gap", alarm.step - 4)
    assert alarm.before == 0 and alarm.value > 0.1
    told = [find_alarms(audits[:end], CONFIG) for end in range(1, len(audits) + 1)]
    assert told == [[alarm] if end == alarm.step else [] for end in range(1, len(audits) + 1)]


def test_a_gap_that_was_there_from_the_beginning_is_no_growth():
    assert [one.kind for one in all_alarms(steps(*[{"right": 30, "wrongly_right": 8}] * 20), CONFIG)] == []


def test_a_gap_that_shrinks_gives_no_alarm():
    audits = steps(*({"right": 25, "wrongly_right": 14 - place} for place in range(14)))
    assert all_alarms(audits, CONFIG) == []


def test_mostly_wrong_positives_give_the_alarm_of_precision():
    (alarm,) = all_alarms(steps(*[{"right": 4, "wrongly_right": 12, "wrongly_wrong": 0}] * 7), CONFIG)
    assert (alarm.kind, alarm.step, alarm.value) == ("precision", 5, 0.25)


def test_few_positives_prove_nothing():
    few = steps(*[{"right": 0, "wrongly_right": 1, "wrongly_wrong": 0}] * 20)
    assert all_alarms(few, CONFIG) == []
    (alarm,) = all_alarms(few, MonitorConfig(audit_steps=20))
    assert (alarm.kind, alarm.step) == ("precision", 20)


@pytest.mark.parametrize("tokens", [10, 31])
def test_longer_and_shorter_answers_give_the_alarm_of_length(tokens):
    changed = {"tokens": tokens}
    (alarm,) = all_alarms(steps(*[{}] * 5, *[changed] * 6), MonitorConfig(audit_steps=5, max_length_drift=0.4))
    assert (alarm.kind, alarm.before) == ("length", 20)
    assert alarm.step < 11


def test_alarms_name_their_setting_and_the_way_out_in_one_line():
    audits = steps(*[{}] * 5, *[{"right": 2, "wrongly_right": 30, "wrongly_wrong": 0, "tokens": 90}] * 6)
    found = all_alarms(audits, CONFIG)
    assert {one.kind for one in found} == {"precision", "gap", "length"}
    for one in found:
        assert f"monitor.{one.setting} = " in str(one) and "\n" not in str(one)
        assert str(one).startswith(f"steps {one.first} to {one.step}: ")


def test_without_a_checker_only_length_is_watched():
    blind = [
        replace(one, true_positives=0, false_positives=0, true_negatives=0, false_negatives=0)
        for one in steps(*[{}] * 5, *[{"tokens": 90}] * 6)
    ]
    assert [one.kind for one in all_alarms(blind, CONFIG)] == ["length"]


def test_chance_alone_gives_hardly_an_alarm():
    # 40 trainings of 100 steps of 16 answers in 4 groups that are right or wrong, and judged wrong, together.
    fired = 0
    for seed in range(40):
        rng = Random(seed)
        audits = []
        for number in range(1, 101):
            right = 4 * sum(rng.random() < 0.5 for _ in range(4))
            wrongly_right = 4 * sum(rng.random() < 0.15 for _ in range((16 - right) // 4))
            wrongly_wrong = 4 * sum(rng.random() < 0.15 for _ in range(right // 4))
            audits.append(step(number, right, wrongly_right, wrongly_wrong, answers=16))
        fired += bool(all_alarms(audits, MonitorConfig()))
    assert fired <= 1
