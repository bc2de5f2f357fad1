"""The health of an iteration, every figure by hand; the thresholds; the table."""

from dataclasses import replace

import pytest

from srlm.config.monitor import MonitorConfig
from srlm.errors import StoppedByStrict
from srlm.judges.rubric import POINTS
from srlm.seed_data import evaluation_set
from srlm.types import Answer, Dropped, Failed, PreferencePair, Prompt, Reward, Scored, Unparsed, Verdict
from trainer.data.sft_examples import Example
from trainer.monitor.alerts import CHECKS, alarms, stop
from trainer.monitor.metrics import Iteration, health
from trainer.monitor.table import ROWS, health_line
from trainer.preferences.scoring import Judged

SCALE = POINTS
EVALUATION = evaluation_set()[0].instruction


def verdicts(*readings):
    return [Verdict(f"v{i}", "M1", "r", ("c0",), one) for i, one in enumerate(readings)]


def sample():
    answers = [
        Answer("c0", "p0", "M1", "x" * 10, "stop"),
        Answer("c1", "p0", "M1", "x" * 30, "length"),
        Answer("c2", "p1", "M1", "", "stop"),
    ]
    own = Judged(
        verdicts(
            Scored(4.0, ""),
            Scored(4.0, ""),
            Scored(1.0, ""),
            Scored(2.8, ""),
            Scored(5.0, ""),
            Unparsed("", "no score line"),
            Failed("timeout"),
            Failed("timeout"),
        ),
        [Reward("c0", 4.0, 0.0, 2, 0, 0), Reward("c1", 1.5, 1.0, 2, 1, 0), Reward("c2", None, None, 0, 0, 2)],
    )
    return Iteration(
        "M2",
        [Prompt("p0", "Say a thing about cats.", "generated"), Prompt("p1", EVALUATION, "generated")],
        [
            Dropped("r0", "too short"),
            Dropped("r1", "too similar to a known instruction"),
            Dropped("r2", "too similar to a known instruction"),
        ],
        answers,
        own,
        [PreferencePair("p0-pair", "p0", "a", "c0", "x" * 10, 4.0, "c1", "x" * 30, 1.5, "")],
        [Dropped("p1", "fewer than two readable rewards")],
        Judged([], [Reward("p0-empty", 0.5, 0, 1, 0, 0), Reward("p1-empty", 1.0, 0, 1, 0, 0), reward("p0-score", 3.0)]),
        Judged([], [reward("c0", 1.0), reward("c1", None), reward("c2", 5.0)]),
    )


def reward(name, value):
    return Reward(name, value, None, int(value is not None), 0, 0)


def test_health_by_hand():
    before = replace(health(Iteration("M1"), SCALE, None), mean_length=10.0)
    found = health(sample(), SCALE, before)
    assert found.instructions == 2
    assert found.refused == {"too short": 1, "too similar to a known instruction": 2}
    assert found.duplicate_rate == 0.4
    assert (found.contaminated, found.contaminated_share) == (["p1"], 0.5)
    assert (found.candidates, found.mean_length, found.cut_share) == (3, 13.3, 0.333)
    assert found.length_drift == 0.33
    assert found.mean_reward == 2.75
    assert (found.score_histogram, found.highest) == ({"1": 1, "3": 1, "4": 2, "5": 1}, 5)
    assert (found.one_score_share, found.top_share, found.spread) == (0.4, 0.2, 0.5)
    assert (found.parse_rate, found.failed_verdicts) == (0.8333, 2)
    assert (found.canary_reward, found.canary_rewards) == (1.5, {"empty": 0.75, "score": 3.0})
    assert found.canary_gap == 1.25
    # Both judges scored c0 alone: 4 by M_t, 1 by the frozen judge.
    assert (found.frozen_reward, found.self_excess) == (1.0, 3.0)
    assert (found.pairs, found.dropped, found.pair_yield) == (1, {"fewer than two readable rewards": 1}, 0.5)
    assert (found.length_gap, found.reward_gap) == (-20, 2.5)
    assert found.length_gap_share == pytest.approx(-20 / 13.3)


def test_positives_are_counted_in_place_of_pairs():
    kept = [Example("c1", "positive", "Say a thing.", "x" * 30), Example("c0", "positive", "Say a thing.", "x" * 10)]
    found = health(replace(sample(), pairs=[], positives=kept), SCALE, None)
    assert (found.positives, found.positive_instructions, found.positives_longer) == (2, 1, 6.7)
    assert (found.pairs, found.pair_yield) == (0, None)
    assert [one for one in alarms(found, MonitorConfig()) if one.check.setting == "min_pair_yield"] == []
    assert health_line(found).startswith("M2: 2 positives of 2 instructions; ")
    cells = {label: say(found) for label, say in ROWS}
    assert [cells[name] for name in ("preference pairs", "positives", "  instructions with one")] == ["-", "2", "1"]
    of_pairs = {label: say(health(sample(), SCALE, None)) for label, say in ROWS}
    assert (of_pairs["preference pairs"], of_pairs["positives"]) == ("1", "-")


def test_an_iteration_with_nothing_has_no_means():
    found = health(Iteration("M2"), SCALE, None)
    assert (found.mean_reward, found.length_gap, found.reward_gap) == (None, None, None)
    assert (found.candidates, found.pairs, found.parse_rate, found.score_histogram) == (0, 0, 0, {})
    assert alarms(found, MonitorConfig()) == []
    assert [one for one in (found.canary_gap, found.pair_yield, found.length_gap_share, found.self_excess) if one] == []


def test_a_judge_that_is_never_read_gives_no_mean_reward():
    own = Judged(verdicts(*[Unparsed("", "")] * 4), [Reward("c", None, None, 0, 4, 0)])
    found = health(Iteration("M2", candidates=[Answer("c", "p", "M1", "x", "stop")], own=own), SCALE, None)
    assert (found.parse_rate, found.mean_reward, found.failed_verdicts) == (0, None, 0)
    (alarm,) = alarms(found, MonitorConfig())
    assert "The judge has not learned to write a score" in str(alarm)


# --- thresholds -------------------------------------------------------------------------------------------------------


GOOD = replace(
    health(sample(), SCALE, None),
    contaminated=[],
    length_gap=2.0,
    parse_rate=0.9,
    duplicate_rate=0.1,
    diversity=0.9,
    self_excess=0.2,
    length_drift=0.1,
)


def test_a_good_iteration_gives_no_alarm():
    assert alarms(GOOD, MonitorConfig()) == []
    stop([])


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
def test_each_threshold_gives_its_alarm(setting, change):
    (alarm,) = alarms(replace(GOOD, **change), MonitorConfig())
    assert alarm.check.setting == setting
    assert str(alarm).startswith("M2: warning: ")
    assert f"monitor.{setting} = " in str(alarm)
    assert "\n" not in str(alarm)
    with pytest.raises(StoppedByStrict, match=rf"monitor\.{setting} .*same command without --strict"):
        stop([alarm])


def test_every_threshold_of_the_configuration_is_checked():
    assert sorted(check.setting for check in CHECKS) == sorted(
        set(MonitorConfig.model_fields) - {"degenerate_answer_prompts"}
    )


@pytest.mark.parametrize(("count", "words"), [(1, None), (2, "1 more warning above"), (3, "2 more warnings above")])
def test_strict_names_the_first_alarm_and_counts_the_rest(count, words):
    found = alarms(replace(GOOD, parse_rate=0.1, one_score_share=0.95, duplicate_rate=0.9), MonitorConfig())
    with pytest.raises(StoppedByStrict) as raised:
        stop(found[:count])
    message = str(raised.value)
    assert message.startswith(
        "M2: share of the judge's answers that could be read: 10.0%, below monitor.min_parse_rate"
    )
    assert words is None or words in message


# --- the table --------------------------------------------------------------------------------------------------------


def test_every_row_can_be_said_of_an_empty_iteration():
    nothing = health(Iteration("M2"), SCALE, None)
    cells = {label: say(nothing) for label, say in ROWS}
    assert len(cells) == len(ROWS)
    assert cells["  of worthless answers"] == "-"
    assert health_line(nothing).startswith("M2: 0 pairs of 0 instructions")


def test_a_line_says_the_drift_where_there_is_one():
    assert "13 characters (+10%)" in health_line(GOOD)
    assert "13 characters;" in health_line(replace(GOOD, length_drift=None))
