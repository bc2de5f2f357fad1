"""Cached inference: batches are stored completely or not at all, no call is repeated, failures are never stored."""

from dataclasses import replace

import pytest

from helpers.calls import completion, request
from srlm.console import Progress
from srlm.engines.engine import BatchResult
from srlm.errors import EngineError
from srlm.inference import Caller
from srlm.ledger import Ledger, request_key
from srlm.prices import FREE
from srlm.types import Completion, Failed


class Scripted:
    """Answers from a function of (request, number of earlier calls of it); batches of a given size."""

    name = "scripted"
    price = FREE

    def __init__(self, say=None, size=1, identity="weights:1", backwards=False):
        self.say = say or (lambda request, before: f"{request.messages[0].content}, {before}")
        self.size, self.identity, self.backwards, self.asked = size, identity, backwards, []

    def plan(self, requests):
        indices = list(range(len(requests)))
        return [indices[start : start + self.size] for start in range(0, len(indices), self.size)]

    def run(self, batches, on_progress=None):
        numbered = list(enumerate(batches))
        for number, batch in reversed(numbered) if self.backwards else numbered:
            replies = [self.reply(request) for request in batch]
            faults = tuple(reply.reason for reply in replies if isinstance(reply, Failed))
            yield BatchResult(number, replies, 1.0, faults)

    def reply(self, request):
        before = self.asked.count(request)
        self.asked.append(request)
        found = self.say(request, before)
        return completion(found) if isinstance(found, str) else found

    def close(self):
        pass


def put(engine, requests, ledger):
    return Caller(engine, ledger, "s", Progress(quiet=True)).ask(requests, "l")


def texts(replies):
    return [reply.text if isinstance(reply, Completion) else reply for _, reply in replies]


def failures(ledger):
    return ledger._connection.execute("SELECT stage, model, reason FROM failures").fetchall()


@pytest.mark.parametrize("size", [1, 2, 3, 10])
@pytest.mark.parametrize("backwards", [False, True])
def test_replies_come_in_the_order_of_the_requests(ledger, size, backwards):
    requests = [request(f"r{i}") for i in range(7)]
    engine = Scripted(size=size, backwards=backwards)
    found = put(engine, requests, ledger)
    assert texts(found) == [f"r{i}, 0" for i in range(7)]
    assert [key for key, _ in found] == [request_key(engine.identity, one) for one in requests]
    assert ledger.count() == 7


def test_no_call_is_made_twice(ledger):
    requests = [request(f"r{i}") for i in range(5)]
    first = put(Scripted(), requests[:3], ledger)
    engine = Scripted()
    again = put(engine, requests, ledger)
    assert again[:3] == first
    assert engine.asked == requests[3:]
    third = Scripted()
    third.plan = None  # there is nothing to plan
    assert put(third, list(reversed(requests)), ledger) == list(reversed(again))
    assert third.asked == []


def test_another_model_is_asked_again(ledger):
    put(Scripted(), [request("r")], ledger)
    other = Scripted(identity="weights:2")
    put(other, [request("r")], ledger)
    assert len(other.asked) == 1
    assert ledger.count() == 2


def test_failures_are_counted_and_never_stored_and_retried(ledger):
    requests = [request(f"r{i}") for i in range(4)]

    def sometimes(one, before):
        return Failed("HTTP 500") if one.messages[0].content in {"r1", "r2"} else "fine"

    found = put(Scripted(sometimes), requests, ledger)
    assert texts(found) == ["fine", Failed("HTTP 500"), Failed("HTTP 500"), "fine"]
    assert ledger.count() == 2
    assert failures(ledger) == [("s", "scripted", "HTTP 500")] * 2
    engine = Scripted()
    assert texts(put(engine, requests, ledger)) == ["fine", "r1, 0", "r2, 0", "fine"]
    assert engine.asked == requests[1:3]


def test_when_every_call_fails_the_first_reason_is_told(ledger):
    reasons = iter(["AuthenticationError (HTTP 401)", "Timeout"])
    with pytest.raises(EngineError, match=r"scripted answered none of 2 calls.*AuthenticationError \(HTTP 401\)"):
        put(Scripted(lambda one, before: Failed(next(reasons))), [request("a"), request("b")], ledger)
    assert ledger.count() == 0


def test_one_answer_out_of_the_ledger_is_enough_to_go_on(ledger):
    put(Scripted(), [request("a")], ledger)
    found = put(Scripted(lambda one, before: Failed("down")), [request("a"), request("b")], ledger)
    assert texts(found) == ["a, 0", Failed("down")]


def test_nothing_to_ask(ledger):
    engine = Scripted()
    assert put(engine, [], ledger) == []
    assert engine.asked == []


def test_a_run_that_is_killed_keeps_whole_batches_and_no_part_of_one(ledger):
    requests = [request(f"r{i}") for i in range(6)]

    def killed(one, before):
        if one.messages[0].content == "r3":
            raise KeyboardInterrupt
        return one.messages[0].content

    with pytest.raises(KeyboardInterrupt):
        put(Scripted(killed, size=2), requests, ledger)
    assert ledger.count() == 2
    engine = Scripted(lambda one, before: one.messages[0].content, size=2)
    assert texts(put(engine, requests, ledger)) == [f"r{i}" for i in range(6)]
    assert engine.asked == requests[2:]


def test_a_batch_that_the_ledger_holds_in_part_is_computed_whole(ledger):
    requests = [request(f"r{i}") for i in range(4)]
    put(Scripted(), requests[:1], ledger)
    engine = Scripted(size=2)
    put(engine, requests, ledger)
    assert engine.asked == requests


def test_an_engine_that_leaves_a_batch_out_gives_failures(ledger):
    class Lazy(Scripted):
        def run(self, batches, on_progress=None):
            yield from list(super().run(batches))[:1]

    assert texts(put(Lazy(), [request("a"), request("b")], ledger)) == ["a, 0", Failed("not run")]


def test_a_batch_of_another_length_than_its_requests_is_an_error(ledger):
    class Short(Scripted):
        def run(self, batches, on_progress=None):
            yield BatchResult(0, [completion()], 1.0)

    with pytest.raises(ValueError, match="zip"):
        put(Short(size=2), [request("a"), request("b")], ledger)
    assert ledger.count() == 0


class Counting(Ledger):
    """A ledger that counts its transactions."""

    commits = 0

    def commit(self, *arguments):
        self.commits += 1
        return super().commit(*arguments)


@pytest.mark.parametrize(("more_ready", "commits"), [(True, 1), (False, 5)])
def test_batches_that_came_together_are_committed_together(tmp_path, more_ready, commits):
    class Burst(Scripted):
        def run(self, batches, on_progress=None):
            found = list(super().run(batches))
            for place, done in enumerate(found):
                yield replace(done, more_ready=more_ready and place < len(found) - 1)

    ledger = Counting(tmp_path / "l.sqlite")
    assert len(put(Burst(), [request(f"r{i}") for i in range(5)], ledger)) == 5
    assert (ledger.commits, ledger.count()) == (commits, 5)
    ledger.close()


def test_no_answer_waits_long_for_others(tmp_path, monkeypatch):
    monkeypatch.setattr("srlm.inference.COMMIT_DELAY_S", 0.0)

    class Stream(Scripted):
        def run(self, batches, on_progress=None):
            for done in super().run(batches):
                yield replace(done, more_ready=True)

    ledger = Counting(tmp_path / "l.sqlite")
    put(Stream(), [request(f"r{i}") for i in range(5)], ledger)
    assert ledger.commits == 5
    ledger.close()


@pytest.mark.parametrize("error", [EngineError, KeyboardInterrupt])
def test_what_came_before_an_error_is_kept(ledger, error):
    class Ends(Scripted):
        def run(self, batches, on_progress=None):
            yield replace(next(super().run(batches)), more_ready=True)
            yield BatchResult(1, [Failed("HTTP 500")], 1.0, ("HTTP 500", "timeout"), more_ready=True)
            raise error

    with pytest.raises(error):
        put(Ends(), [request("a"), request("b"), request("c")], ledger)
    assert ledger.count() == 1
    assert [reason for _, _, reason in failures(ledger)] == ["HTTP 500", "timeout"]


def test_equal_requests_are_paid_for_once_and_answered_alike(ledger):
    engine = Scripted()
    found = put(engine, [request("same"), request("other"), request("same")], ledger)
    assert engine.asked == [request("same"), request("other")]
    assert found[0] == found[2]
    assert texts(found) == texts(put(Scripted(), [request("same"), request("other"), request("same")], ledger))


def test_half_an_emoji_does_not_end_the_run(ledger):
    put(Scripted(lambda one, before: "cut \ud83d"), [request("a")], ledger)
