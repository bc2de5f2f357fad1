"""Metrics of an iteration, each by hand."""

from dataclasses import replace

import pytest

from srlm.config.monitor import MonitorConfig
from srlm.judges.rubric import POINTS
from srlm.types import Answer, Reward, Scored, SFTExample, Unparsed, Verdict
from trainer.monitor.alerts import find_alerts
from trainer.monitor.metrics import IterationRecords, compute_metrics
from trainer.monitor.table import ROWS, metrics_line
from trainer.preferences.scoring import Scores


def test_metrics_by_hand(records):
    before = replace(compute_metrics(IterationRecords("M1"), POINTS, None), mean_length=10.0)
    found = compute_metrics(records, POINTS, before)
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
    assert found.degenerate_gap == 1.25
    # Both judges scored c0 alone: 4 by M_t, 1 by the frozen judge.
    assert (found.frozen_reward, found.self_excess) == (1.0, 3.0)
    assert (found.pairs, found.dropped, found.pair_yield) == (1, {"fewer than two readable rewards": 1}, 0.5)
    assert (found.length_gap, found.reward_gap) == (-20, 2.5)
    assert found.length_gap_share == pytest.approx(-20 / 13.3)


def test_positives_are_counted_in_place_of_pairs(records):
    kept = [
        SFTExample("c1", "positive", "Say a thing.", "x" * 30),
        SFTExample("c0", "positive", "Say a thing.", "x" * 10),
    ]
    found = compute_metrics(replace(records, pairs=[], positives=kept), POINTS, None)
    assert (found.positives, found.positive_instructions, found.positives_longer) == (2, 1, 6.7)
    assert (found.pairs, found.pair_yield) == (0, None)
    assert [one for one in find_alerts(found, MonitorConfig()) if one.check.setting == "min_pair_yield"] == []
    assert metrics_line(found).startswith("M2: 2 positives of 2 instructions; ")
    cells = {label: cell(found) for label, cell in ROWS}
    assert [cells[name] for name in ("preference pairs", "positives", "  instructions with one")] == ["-", "2", "1"]
    of_pairs = {label: cell(compute_metrics(records, POINTS, None)) for label, cell in ROWS}
    assert (of_pairs["preference pairs"], of_pairs["positives"]) == ("1", "-")


def test_an_iteration_with_nothing_has_no_means():
    found = compute_metrics(IterationRecords("M2"), POINTS, None)
    assert (found.mean_reward, found.length_gap, found.reward_gap) == (None, None, None)
    assert (found.candidates, found.pairs, found.parse_rate, found.score_histogram) == (0, 0, 0, {})
    assert find_alerts(found, MonitorConfig()) == []
    assert [
        one for one in (found.degenerate_gap, found.pair_yield, found.length_gap_share, found.self_excess) if one
    ] == []


def test_without_a_parsed_verdict_there_is_no_mean_reward(verdicts):
    own = Scores(verdicts(*[Unparsed("", "")] * 4), [Reward("c", None, None, 0, 4, 0)])
    found = compute_metrics(
        IterationRecords("M2", candidates=[Answer("c", "p", "M1", "x", "stop")], own=own), POINTS, None
    )
    assert (found.parse_rate, found.mean_reward, found.failed_verdicts) == (0, None, 0)
    (alert,) = find_alerts(found, MonitorConfig())
    assert "The judge has not learned to write a score" in str(alert)


# --- rewards without a scale ------------------------------------------------------------------------------------------


def without_scale(values, degenerate=(), vetoed=0):
    """Metrics of candidates with these rewards by a program, and of degenerate answers with theirs."""

    def scores(prefix, found):
        verdicts = [
            Verdict(f"{prefix}{n}-r0", "check.py:score", "program:1", (f"{prefix}{n}",), reading(value))
            for n, value in enumerate(found)
        ]
        rewards = [
            Reward(f"{prefix}{n}", value, None, 1, 0, 0, (), ("safe.py:ok",) if n < vetoed else ())
            for n, value in enumerate(found)
        ]
        return Scores(verdicts, rewards)

    answers = [Answer(f"c{n}", "p0", "M1", "text", "stop") for n in range(len(values))]
    return compute_metrics(
        IterationRecords("M2", candidates=answers, own=scores("c", values), degenerate=scores("d-", degenerate)),
        None,
        None,
    )


def reading(value):
    return Unparsed("cannot say", "the source cannot say") if value is None else Scored(value, repr(value))


def test_rewards_without_a_scale_have_quartiles_and_no_highest_score():
    found = without_scale([0.001, 0.002, 0.003, 0.004, 1000.0], vetoed=2)
    assert (found.highest, found.top_share, found.score_histogram) == (None, None, {})
    assert found.quartiles == (0.001, 0.002, 0.003, 0.004, 1000.0)
    assert (found.one_score_share, found.parse_rate, found.vetoed) == (0.2, 1.0, 2)
    cells = {label: cell(found) for label, cell in ROWS}
    assert cells["  scores, 0 to the highest"] == "-"
    assert cells["rewards, lowest to highest by quarters"] == "0.001 0.002 0.003 0.004 1000.00"
    assert cells["  vetoed"] == "2"
    assert "; 2 vetoed; 100% of the verdicts parsed" in metrics_line(found)


def test_small_differences_are_no_ties_without_a_scale():
    assert without_scale([1e-6, 2e-6]).one_score_share == 0.5
    assert without_scale([1e-6, 1e-6]).one_score_share == 1.0


def test_the_gap_to_degenerate_answers_is_in_standard_deviations_without_a_scale():
    one, scaled = (without_scale([factor * 1.0, factor * 3.0], [factor * 1.0]) for factor in (1, 1000))
    assert one.degenerate_gap == scaled.degenerate_gap == 1.0  # mean 2, standard deviation 1
    assert without_scale([2.0, 2.0], [1.0]).degenerate_gap is None


def test_alerts_of_rewards_without_a_scale_do_not_speak_of_a_judge():
    alerts = find_alerts(without_scale([2.0, 2.0, None, None], [9.0]), MonitorConfig())
    assert {one.check.setting for one in alerts} >= {"min_parse_rate", "max_one_score"}
    alerts += find_alerts(without_scale([1.0, 3.0], [9.0]), MonitorConfig())
    assert "min_degenerate_gap" in {one.check.setting for one in alerts}
    assert not [str(one) for one in alerts if "EFT" in str(one) or "judge" in str(one)]


def test_no_answer_with_a_value():
    found = without_scale([None, None])
    assert (found.quartiles, found.deviation, found.mean_reward, found.parse_rate) == (None, None, None, 0.0)
