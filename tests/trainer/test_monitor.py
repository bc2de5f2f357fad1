"""The health of an iteration, every figure by hand."""

from srlm.types import Answer, Dropped, Failed, PreferencePair, Prompt, Reward, Scored, Unparsed, Verdict
from trainer.monitor import health


def test_health_by_hand():
    answers = [
        Answer("c0", "p0", "M1", "x" * 10, "stop"),
        Answer("c1", "p0", "M1", "x" * 30, "length"),
        Answer("c2", "p1", "M1", "", "stop"),
    ]
    readings = [
        Scored(4.0, ""),
        Scored(4.0, ""),
        Scored(1.0, ""),
        Scored(2.8, ""),
        Unparsed("", "no score line"),
        Failed("timeout"),
        Failed("timeout"),
    ]
    found = health(
        "M2",
        [Prompt("p0", "a", "generated"), Prompt("p1", "b", "generated")],
        [Dropped("r0", "too short"), Dropped("r1", "too long"), Dropped("r2", "too short")],
        answers,
        [Verdict(f"v{i}", "M1", "r", ("c0",), one) for i, one in enumerate(readings)],
        [Reward("c0", 4.0, 0.0, 2, 0, 0), Reward("c1", 1.5, 1.0, 2, 1, 0), Reward("c2", None, None, 0, 0, 2)],
        [PreferencePair("p0-pair", "p0", "a", "c0", "x" * 10, 4.0, "c1", "x" * 30, 1.5, "")],
        [Dropped("p1", "fewer than two readable rewards")],
    )
    assert found.instructions == 2
    assert found.refused == {"too short": 2, "too long": 1}
    assert (found.candidates, found.mean_length, found.cut_share) == (3, 13.3, 0.333)
    assert found.mean_reward == 2.75
    assert found.score_histogram == {"1": 1, "3": 1, "4": 2}
    assert (found.parse_rate, found.failed_verdicts) == (0.8, 2)
    assert (found.pairs, found.dropped) == (1, {"fewer than two readable rewards": 1})
    assert (found.length_gap, found.reward_gap) == (-20, 2.5)


def test_an_iteration_with_nothing_has_no_means():
    found = health("M2", [], [], [], [], [], [], [])
    assert (found.mean_reward, found.length_gap, found.reward_gap) == (None, None, None)
    assert (found.candidates, found.pairs, found.parse_rate, found.score_histogram) == (0, 0, 0, {})


def test_a_judge_that_is_never_read_gives_no_mean_reward():
    verdicts = [Verdict(f"v{i}", "M1", "r", ("c",), Unparsed("", "")) for i in range(4)]
    found = health("M2", [], [], [], verdicts, [Reward("c", None, None, 0, 4, 0)], [], [])
    assert (found.parse_rate, found.mean_reward, found.failed_verdicts) == (0, None, 0)
