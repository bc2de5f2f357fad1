"""Records of one iteration, and metrics without an alert."""

from dataclasses import replace

import pytest

from srlm.judges.rubric import POINTS
from srlm.seed_data import evaluation_set
from srlm.types import Answer, Dropped, Failed, PreferencePair, Prompt, Reward, Scored, Unparsed, Verdict
from trainer.monitor.metrics import IterationRecords, compute_metrics
from trainer.preferences.scoring import Scores


def reward(name, value):
    return Reward(name, value, None, int(value is not None), 0, 0)


@pytest.fixture(scope="session")
def verdicts():
    """A function: verdicts of M1 on one answer, with these results."""

    def make(*results):
        return [Verdict(f"v{i}", "M1", "r", ("c0",), one) for i, one in enumerate(results)]

    return make


@pytest.fixture(scope="session")
def records(verdicts):
    """An iteration of two prompts, three candidates and one pair."""
    answers = [
        Answer("c0", "p0", "M1", "x" * 10, "stop"),
        Answer("c1", "p0", "M1", "x" * 30, "length"),
        Answer("c2", "p1", "M1", "", "stop"),
    ]
    own = Scores(
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
    return IterationRecords(
        "M2",
        [
            Prompt("p0", "Say a thing about cats.", "generated"),
            Prompt("p1", evaluation_set()[0].instruction, "generated"),
        ],
        [
            Dropped("r0", "too short"),
            Dropped("r1", "too similar to a known instruction"),
            Dropped("r2", "too similar to a known instruction"),
        ],
        answers,
        own,
        [PreferencePair("p0-pair", "p0", "a", "c0", "x" * 10, 4.0, "c1", "x" * 30, 1.5, "")],
        [Dropped("p1", "fewer than two readable rewards")],
        Scores([], [Reward("p0-empty", 0.5, 0, 1, 0, 0), Reward("p1-empty", 1.0, 0, 1, 0, 0), reward("p0-score", 3.0)]),
        Scores([], [reward("c0", 1.0), reward("c1", None), reward("c2", 5.0)]),
    )


@pytest.fixture(scope="session")
def good(records):
    """Metrics that are within all thresholds."""
    return replace(
        compute_metrics(records, POINTS, None),
        contaminated=[],
        length_gap=2.0,
        parse_rate=0.9,
        duplicate_rate=0.1,
        diversity=0.9,
        self_excess=0.2,
        length_drift=0.1,
    )
