"""The pairwise judge, with judges whose verdicts are known beforehand."""

import pytest

from srlm.console import Progress
from srlm.engines.engine import BatchResult
from srlm.inference import Caller
from srlm.judges.pairwise import Match, compare, load_pairwise
from srlm.prices import FREE
from srlm.types import Answer, Completion, Failed

QUIET = Progress(quiet=True)


class Judge:
    """Says P(the answer shown first is better) by a function of both; None fails, a string is a plain vote."""

    name = identity = "scripted"

    def __init__(self, prefer):
        self.prefer, self.asked = prefer, []

    price = FREE

    def plan(self, requests):
        return [[number] for number in range(len(requests))]

    def run(self, batches, on_progress=None):
        for number, batch in enumerate(batches):
            yield BatchResult(number, [self.reply(request) for request in batch], 1.0)

    def reply(self, request):
        content = request.messages[0].content
        first = content.split("<answer_a>\n")[1].split("\n</answer_a>")[0]
        second = content.split("<answer_b>\n")[1].split("\n</answer_b>")[0]
        self.asked.append((first, second))
        p = self.prefer(first, second)
        if p is None:
            return Failed("timeout")
        if isinstance(p, str):
            return Completion(p, "stop", 1, 1)
        return Completion("A" if p >= 0.5 else "B", "stop", 1, 1, (p, 1 - p))

    def close(self):
        pass


def match(one="good", two="bad", name="m"):
    return Match(
        name, "Say it.", Answer(f"{name}1", name, "M1", one, "stop"), Answer(f"{name}2", name, "M2", two, "stop")
    )


def judged(prefer, ledger, *matches):
    caller = Caller(Judge(prefer), ledger, "s", QUIET)
    return compare(caller, load_pairwise(), matches or [match()], label="l")


def test_both_orders_are_asked_and_averaged(ledger):
    judge = Judge(lambda first, second: 0.9 if first == "good" else 0.2)
    (found,) = compare(Caller(judge, ledger, "s", QUIET), load_pairwise(), [match()], label="l")
    assert judge.asked == [("good", "bad"), ("bad", "good")]
    assert found.orders == pytest.approx((0.9, 0.8))
    assert found.value == pytest.approx(0.85)
    assert found.consistent
    assert [one.answer_ids for one in found.verdicts] == [("m1", "m2"), ("m2", "m1")]
    assert [one.id for one in found.verdicts] == ["m-v0", "m-v1"]


@pytest.mark.parametrize(("p", "bias"), [(1.0, "first"), (0.0, "second"), (0.8, "rather first")])
def test_a_judge_that_knows_only_positions_gives_one_half(ledger, p, bias):
    (found,) = judged(lambda first, second: p, ledger)
    assert found.value == pytest.approx(0.5), bias
    assert found.consistent is False


@pytest.mark.parametrize("lost", ["good", "bad"])
@pytest.mark.parametrize("kind", [None, "I cannot say"])
def test_a_missing_order_gives_no_preference_at_all(ledger, lost, kind):
    (found,) = judged(lambda first, second: kind if first == lost else 1.0, ledger)
    assert found.value is None
    assert found.consistent is None
    assert sum(one is None for one in found.orders) == 1
    assert {one.reading.kind for one in found.verdicts} == {"scored", "failed" if kind is None else "unparsed"}


def test_a_plain_vote_is_one_or_zero(ledger):
    (found,) = judged(lambda first, second: "A" if first == "good" else "B.", ledger)
    assert found.orders == (1.0, 1.0)


def test_verdicts_stay_with_their_matches(ledger):
    matches = [match(f"good {i}", f"bad {i}", f"m{i}") for i in range(5)]
    found = judged(lambda first, second: float(first in {"good 1", "good 3", "bad 0"}), ledger, *matches)
    assert [one.match.id for one in found] == ["m0", "m1", "m2", "m3", "m4"]
    assert [one.orders for one in found] == [(0.0, 0.0), (1.0, 1.0), (0.0, 1.0), (1.0, 1.0), (0.0, 1.0)]


# --- the two values ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shown_first", "shown_second", "verdict", "value"),
    [
        (0.9, 0.2, "win", 0.85),
        (0.1, 0.7, "loss", 0.2),
        (0.9, 0.9, "tie", 0.5),
        (0.2, 0.1, "tie", 0.55),
        (0.5, 0.1, "tie", 0.7),
        (0.5, 0.5, "tie", 0.5),
    ],
)
def test_the_verdict_is_a_tie_when_the_orders_disagree(ledger, shown_first, shown_second, verdict, value):
    (found,) = judged(lambda first, second: shown_first if first == "good" else shown_second, ledger)
    assert found.verdict == verdict
    assert found.value == pytest.approx(value)


def test_a_missing_order_leaves_no_verdict_and_no_value(ledger):
    (found,) = judged(lambda first, second: None if first == "bad" else 0.9, ledger)
    assert (found.verdict, found.value, found.consistent) == (None, None, None)
