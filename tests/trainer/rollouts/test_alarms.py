"""Alarms over made audits: each kind, where chance explains a difference, and once per training."""

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srlm.config.monitor import MonitorConfig
from srlm.rollouts import Rollout
from trainer.rollouts.alarms import all_alarms, find_alarms
from trainer.rollouts.audit import audit_step

CONFIG = MonitorConfig(audit_steps=5)
COUNTS = ("true_positives", "false_positives", "true_negatives", "false_negatives")


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


def gaps(*wrongly_right):
    """Steps in which 0, 4, 16 of 40 answers, which are wrong, are judged right."""
    return steps(*({"wrongly_right": count, "wrongly_wrong": 0} for count in wrongly_right))


def test_the_sum_of_a_gap_is_as_computed_by_hand():
    # Gaps of 0, 0.1, 0, 0.1: 0.05 at first. Squares between neighbours 3 * 0.005, and 0.045 for the step to 0.4. Then
    # step  deviation           allowed      beyond it                   at most  sum     4 deviations
    # 5     sqrt(.06/4) = .122  .061 + .061  .4 - .05 - .122 = .228      .184     .184    .490
    # 6     sqrt(.06/5) = .110  .055 + .055  .4 - .05 - .110 = .240      .164     .348    .438
    # 7     sqrt(.06/6) = .1    .05 + .05    .4 - .05 - .1   = .25       .15      .498    .4
    config = MonitorConfig(audit_steps=8)
    (alarm,) = all_alarms(gaps(0, 4, 0, 4, 16, 16, 16, 16), config)
    assert (alarm.kind, alarm.first, alarm.step, alarm.before, alarm.value) == ("gap", 5, 7, 0.05, 0.4)
    assert all_alarms(gaps(0, 4, 0, 4, 16, 16), config) == []
    # With 0.35 allowed nothing is left of these steps.
    assert all_alarms(gaps(0, 4, 0, 4, *[16] * 9), config.model_copy(update={"max_gap_growth": 0.35})) == []


@given(st.lists(st.integers(0, 16), min_size=1, max_size=30), st.integers(1, 9))
def test_alarms_of_any_steps(wrongly_right, audit_steps):
    """Later steps take nothing back, and steps that give the gap's alarm have grown by more than is allowed."""
    config, audits = MonitorConfig(audit_steps=audit_steps), gaps(*wrongly_right)
    told = [alarm for end in range(1, len(audits) + 1) for alarm in find_alarms(audits[:end], config)]
    assert told == all_alarms(audits, config)
    for alarm in told:
        if alarm.kind == "gap":
            assert alarm.value > alarm.before + config.max_gap_growth
            assert audit_steps / 2 < alarm.first <= alarm.step - 2, "three steps, at least"


@pytest.mark.parametrize("gap", [-2, 0, 3, 20])
def test_a_gap_that_stays_gives_no_alarm_whatever_is_allowed(gap):
    audits = steps(*[{"right": 20, "wrongly_right": max(gap, 0), "wrongly_wrong": max(-gap, 0)}] * 30)
    assert "gap" not in [one.kind for one in all_alarms(audits, MonitorConfig(audit_steps=5, max_gap_growth=0))]


@pytest.mark.parametrize("batch", [8, 40])
def test_one_step_alone_is_no_growth(batch):
    audits = steps(*[{"wrongly_right": 0, "wrongly_wrong": 0, "right": 0, "answers": batch}] * 30)
    audits[20] = step(21, right=0, wrongly_right=batch, wrongly_wrong=0, answers=batch)
    assert "gap" not in [one.kind for one in all_alarms(audits, CONFIG)]


def test_a_step_without_an_audited_answer_is_left_out():
    audits = gaps(0, 4, 0, 4, 16, 16, 16)
    blank = replace(audits[0], **dict.fromkeys(COUNTS, 0), gap=None, precision=None)
    (alarm,) = all_alarms([*audits[:5], replace(blank, step=6), *audits[5:]], MonitorConfig(audit_steps=8))
    assert (alarm.kind, alarm.first, alarm.step) == ("gap", 5, 7)


def test_a_gap_that_grows_gives_one_alarm_at_its_first_step():
    audits = steps(*[{}] * 8, *({"wrongly_right": 2 + 2 * place} for place in range(9)))
    (alarm,) = all_alarms(audits, CONFIG)
    assert (alarm.kind, alarm.before) == ("gap", 0)
    assert 9 < alarm.first < alarm.step < 17 and alarm.value > CONFIG.max_gap_growth
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
    blind = [replace(one, **dict.fromkeys(COUNTS, 0), gap=None) for one in steps(*[{}] * 5, *[{"tokens": 90}] * 6)]
    assert [one.kind for one in all_alarms(blind, CONFIG)] == ["length"]


@pytest.mark.parametrize(
    ("size", "errs", "rises", "most"),
    [
        (2, 0.1, 1 / 200, 1),
        (4, 0.15, 0.0, 4),  # a judge that errs so often, few problems: one in ten, as docs/explain/monitor.md says
    ],
)
def test_chance_alone_gives_hardly_an_alarm(size, errs, rises, most):
    # 40 trainings of 100 steps of 16 answers, `size` of them to a problem, that are right or wrong, and judged wrong,
    # together: the judge errs on a share of the problems, and right are half of the answers or more and more.
    fired = 0
    for seed in range(40):
        rng = Random(seed)
        audits = []
        for number in range(1, 101):
            share = (0.3 if rises else 0.5) + number * rises
            right = size * sum(rng.random() < share for _ in range(16 // size))
            wrongly_right = size * sum(rng.random() < errs for _ in range((16 - right) // size))
            wrongly_wrong = size * sum(rng.random() < errs for _ in range(right // size))
            audits.append(step(number, right, wrongly_right, wrongly_wrong, answers=16))
        fired += bool(all_alarms(audits, MonitorConfig()))
    assert fired <= most
