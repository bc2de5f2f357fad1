"""A pinned judge that is asked again: what is the same, what has drifted, and what says nothing."""

from dataclasses import replace

import pytest

from evals.gate.decision import decide
from evals.gate.judge_drift import (
    PinnedPair,
    PinnedVerdicts,
    drift_between,
    measure_drift,
    pin_judge,
    read_pinned_verdicts,
    refuse_other_judges,
)
from helpers.comparisons import comparison, judge, policy, rates, rule
from helpers.scripted_engine import Scripted
from srlm.console import Progress
from srlm.errors import DataError, UsageError
from srlm.judges.preference_data import LabelledSet
from srlm.ledger import Ledger
from srlm.types import Completion, Failed, RankedAnswer, RankedPrompt

QUIET = Progress(quiet=True)
EQUAL = rates("win_rate", both=400, gained=20, lost=20, neither=360)


def labelled(count=12):
    prompts = tuple(
        RankedPrompt(f"q{i}", f"Name {i} colours.", (RankedAnswer("good", 0), RankedAnswer("bad", 1)), "train")
        for i in range(count)
    )
    return LabelledSet("mine", {"mine": prompts})


def says(probability):
    """A judge that prefers the good answer with this probability, wherever it stands."""

    def say(request):
        text = request.messages[0].content
        first = text.index("good") < text.index("bad")
        ours = probability(text) if callable(probability) else probability
        if ours is None:
            return Completion("I do not know", "stop", 5, 5)
        if isinstance(ours, Failed):
            return ours
        p = ours if first else 1 - ours
        return Completion("A", "stop", 5, 1, (p, 1 - p))

    return Scripted(say, "judge")


@pytest.fixture
def another(tmp_path):
    found = Ledger(tmp_path / "another.sqlite")
    yield found
    found.close()


def test_a_judge_is_pinned_and_says_the_same_again(ledger, another):
    pinned = pin_judge(says(0.9), labelled(), ledger, limit=None, progress=QUIET)
    assert len(pinned.pairs) == 12
    assert [pair.orders for pair in pinned.pairs] == [pytest.approx((0.9, 0.9))] * 12
    assert (pinned.judge, pinned.identity, pinned.labelled) == ("judge", "judge", "mine")
    engine = says(0.9)
    again = measure_drift(engine, pinned, another, risk=0.05, progress=QUIET)
    assert len(engine.asked) == 24  # it was really asked
    assert (again.same.value, again.read.value, again.labels.difference.value, again.drifted) == (1, 1, 0, False)


def test_a_judge_that_turned_around_has_drifted(ledger, another):
    pinned = pin_judge(says(0.9), labelled(), ledger, limit=None, progress=QUIET)
    again = measure_drift(says(0.2), pinned, another, risk=0.05, progress=QUIET)
    assert (again.same.value, again.labels.difference.value, again.drifted) == (0, -1, True)


def test_another_probability_is_no_other_verdict(ledger, another):
    pinned = pin_judge(says(0.9), labelled(), ledger, limit=None, progress=QUIET)
    again = measure_drift(says(0.6), pinned, another, risk=0.05, progress=QUIET)
    assert (again.same.value, again.drifted) == (1, False)


def test_what_cannot_be_read_is_missing_and_nothing_else(ledger, another):
    pinned = pin_judge(says(0.9), labelled(), ledger, limit=None, progress=QUIET)
    half = says(lambda text: Failed("HTTP 500") if "Name 1" in text else 0.9)  # 1, 10 and 11
    again = measure_drift(half, pinned, another, risk=0.05, progress=QUIET)
    assert (again.same.value, again.same.n, again.read.value) == (1, 18, 0.75)


def pinned_pairs(*orders):
    pairs = tuple(PinnedPair(f"p{i}", f"i{i}", "good", "bad", one) for i, one in enumerate(orders))
    return PinnedVerdicts("judge", "id", "pairwise:0", "mine", "0", pairs)


def test_shares_by_hand():
    pinned = pinned_pairs((0.9, 0.9), (0.9, 0.4), (None, 0.9), (0.5, 0.5))
    asked = drift_between(pinned, [(0.9, 0.1), (0.8, 0.3), (0.9, None), (0.5, 0.6)], 0.05)
    # Verdicts: same, other; same, same; unread, unread; same, other.
    assert (asked.same.value, asked.same.n) == (pytest.approx(4 / 6), 6)
    assert (asked.read.value, asked.read.n) == (7 / 8, 8)
    # Labels: 1 -> 1/2, 1 -> 1, unread, 1/2 -> 1.
    assert (asked.labels.difference.value, asked.labels.difference.n) == (0, 3)


def test_a_judge_that_can_never_be_read_cannot_be_pinned(ledger):
    with pytest.raises(UsageError, match="cannot be pinned"):
        pin_judge(says(lambda text: None), labelled(), ledger, limit=None, progress=QUIET)


def test_another_judge_and_another_wording_are_refused(ledger, another):
    pinned = pin_judge(says(0.9), labelled(), ledger, limit=4, progress=QUIET)
    other = says(0.9)
    other.name = other.identity = "other"
    with pytest.raises(UsageError, match="srlm gate pin other"):
        measure_drift(other, pinned, another, risk=0.05, progress=QUIET)
    with pytest.raises(UsageError, match="Pin the judge again"):
        measure_drift(says(0.9), replace(pinned, rubric="pairwise:old"), another, risk=0.05, progress=QUIET)
    assert other.asked == []


def test_a_calibration_says_nothing_about_other_judges():
    pinned = pinned_pairs((0.9, 0.9))
    compared = comparison(EQUAL, judges=[judge(name="judge id"), judge("head-to-head", name="other id")])
    refuse_other_judges(pinned, compared, ["alpaca"])
    with pytest.raises(UsageError, match="head-to-head was judged by other id"):
        refuse_other_judges(pinned, compared, ["alpaca", "head-to-head"])


@pytest.mark.parametrize(
    ("today", "broken"),
    [
        ((0.9, 0.9), []),
        ((0.1, 0.1), ["calibration", "calibration_labels"]),
        ((0.9, None), ["calibration_parsed"]),
    ],
)
def test_a_judge_that_has_drifted_is_broken(today, broken):
    pinned = pinned_pairs(*[(0.9, 0.9)] * 10)
    asked = drift_between(pinned, [today] * 10, 0.05)
    floors = {"calibration": {"file": "c.json", "agreement": 0.9}, "parsed": 0.9}
    decided = decide(comparison(EQUAL, judges=[judge()]), "M2", policy(rule(), judge=floors), asked)
    assert [check.key for check in decided.checks if check.state == "broken"] == broken
    assert decided.outcome == ("judge broken" if broken else "pass")
    assert all(check.state != "unknown" for check in decided.checks)


def test_a_file_that_is_no_calibration_set_is_refused(tmp_path):
    with pytest.raises(DataError, match="srlm gate pin"):
        read_pinned_verdicts(tmp_path / "c.json")
    (tmp_path / "c.json").write_text('{"judge": "j"}')
    with pytest.raises(DataError, match="is no calibration set"):
        read_pinned_verdicts(tmp_path / "c.json")
