"""The ledger and the one way to ask: all or nothing, nothing twice, failures never stored."""

import sqlite3
from dataclasses import fields, replace
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srlm.console import Progress
from srlm.engines.engine import BatchResult
from srlm.errors import DataError, EngineError
from srlm.inference import Caller
from srlm.ledger import Call, Ledger, LedgerRow, request_key, total
from srlm.prices import FREE
from srlm.types import Completion, Failed, Message, Request, Sampling

REQUEST = Request((Message("user", "Hello"),), Sampling(0.7, 0.9, 64, ("\n",)), seed=3, sample=1, prefill="1.")


class Scripted:
    """Answers from a function of (request, how often it was asked before); batches of a given size."""

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


def completion(text="yes", probabilities=None):
    return Completion(text, "stop", 5, 7, probabilities)


def request(text, **others):
    return Request((Message("user", text),), **others)


@pytest.fixture
def ledger(tmp_path):
    found = Ledger(tmp_path / "run" / "ledger.sqlite")
    yield found
    found.close()


def put(engine, requests, ledger):
    return Caller(engine, ledger, "s", Progress(quiet=True)).ask(requests, "l")


def texts(replies):
    return [reply.text if isinstance(reply, Completion) else reply for _, reply in replies]


def failures(ledger):
    return ledger._connection.execute("SELECT stage, model, reason FROM failures").fetchall()


# --- keys -------------------------------------------------------------------------------------------------------------

CHANGED = {
    "messages": [
        (Message("user", "Hello "),),
        (Message("system", "Hello"),),
        (*REQUEST.messages, *REQUEST.messages),
        (),
    ],
    "sampling": [
        replace(REQUEST.sampling, temperature=0.8),
        replace(REQUEST.sampling, top_p=1.0),
        replace(REQUEST.sampling, max_tokens=65),
        replace(REQUEST.sampling, stop=()),
        replace(REQUEST.sampling, stop=("\n", "x")),
    ],
    "seed": [4],
    "sample": [2],
    "prefill": ["1", ""],
    "choices": [("A", "B"), ("B", "A"), ("AB",)],
}


def test_the_key_knows_every_field():
    assert set(CHANGED) == {field.name for field in fields(Request)}
    assert {field.name for field in fields(Sampling)} == {"temperature", "top_p", "max_tokens", "stop"}
    others = [replace(REQUEST, **{name: value}) for name, values in CHANGED.items() for value in values]
    keys = [request_key("weights", one) for one in (REQUEST, *others)] + [request_key("weights2", REQUEST)]
    assert len(set(keys)) == len(keys)


def test_the_key_is_the_same_on_every_day_and_machine():
    canonical = (
        '["w",{"choices":[],"messages":[{"content":"\\u00fc","role":"user"}],"prefill":"","sample":0,'
        '"sampling":{"max_tokens":1,"stop":[],"temperature":0.0,"top_p":1.0},"seed":0}]'
    )
    assert request_key("w", request("ü")) == sha256(canonical.encode()).hexdigest()


def test_known_requests_have_the_keys_that_older_versions_gave_them():
    """Literal digests: a changed key would make every stored call unfindable."""
    judged = Request((Message("system", "Judge."), Message("user", "ü")), choices=("A", "B"))
    assert request_key("weights:1", REQUEST) == "d11f266248805ce90a4b4e8814684452752f89b0fa5c3b39a9f48ecf96957dc9"
    assert (
        request_key("openai:gpt-4o@openai without temperature", judged)
        == "04ed42e4b9f0be04f0b041493dc3b0e2207f0d39fc238a18930319e4c87ba969"
    )


@settings(deadline=None)
@given(st.text(), st.text())
def test_identity_and_text_do_not_run_into_each_other(one, two):
    if one != two:
        assert request_key(one, request(two)) != request_key(two, request(one))


# --- the ledger -------------------------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(text=st.text(), p=st.none() | st.lists(st.floats(0, 1), min_size=2, max_size=2).map(tuple))
def test_what_is_committed_comes_back(tmp_path_factory, text, p):
    ledger = Ledger(tmp_path_factory.mktemp("l") / "ledger.sqlite")
    answer = completion(text, p)
    ledger.commit("s", "m", [Call("ab" * 32, REQUEST, answer, 1.0, None)])
    assert ledger.get("ab" * 32) == answer
    assert ledger.call("abab") == ("m", REQUEST, answer)
    ledger.close()


def test_a_key_that_was_never_asked(ledger):
    assert ledger.get("00") is None
    assert ledger.call("00") is None
    assert ledger.count() == 0


def test_a_call_is_found_by_the_beginning_of_its_key_alone(ledger):
    ledger.commit(
        "s",
        "m",
        [
            Call("af" + "0" * 62, request("one"), completion(), 1.0, None),
            Call("b0" + "f" * 62, request("two"), completion(), 1.0, None),
        ],
    )
    assert ledger.call("af0")[1] == request("one")
    assert ledger.call("b0")[1] == request("two")
    assert ledger.call("a0") is None
    assert ledger.call("f") is None


def test_a_batch_with_one_bad_row_leaves_nothing(ledger):
    good = Call("a" * 64, REQUEST, completion(), 1.0, None)
    with pytest.raises(sqlite3.Error):
        ledger.commit("s", "m", [good, Call(object(), REQUEST, completion(), 1.0, None)], ["timeout"])
    assert ledger.count() == 0
    assert failures(ledger) == []
    ledger.commit("s", "m", [good])
    assert ledger.count() == 1


def test_a_batch_whose_failures_cannot_be_written_leaves_nothing(ledger):
    with pytest.raises(DataError, match="NOT NULL"):
        ledger.commit("s", "m", [Call("a" * 64, REQUEST, completion(), 1.0, None)], ["fine", None])
    assert ledger.count() == 0
    assert failures(ledger) == []


def test_the_first_answer_to_a_request_stays(ledger):
    for text in ("first", "second"):
        ledger.commit("s", "m", [Call("a" * 64, REQUEST, completion(text), 1.0, None)])
    assert ledger.get("a" * 64).text == "first"
    assert ledger.count() == 1


def test_another_process_reads_what_was_committed(tmp_path):
    one, two = Ledger(tmp_path / "l.sqlite"), Ledger(tmp_path / "l.sqlite")
    one.commit("s", "m", [Call("a" * 64, REQUEST, completion("here"), 1.0, None)])
    assert two.get("a" * 64).text == "here"
    one.close()
    two.close()


def test_time_and_cost_are_found_by_keys_and_their_beginnings(ledger):
    ledger.commit(
        "s",
        "m",
        [
            Call("a1" + "0" * 62, request("one"), completion(), 1.5, 0.25),
            Call("a2" + "f" * 62, request("two"), completion(), 2.5, None),
            Call("b0" + "0" * 62, request("three"), completion(), None, None),
        ],
    )
    assert ledger.time_and_cost(["a2f", "a1" + "0" * 62, "a1"]) == [(2.5, None), (1.5, 0.25), (1.5, 0.25)]
    assert ledger.time_and_cost(["a20", "ff", "", "b0"]) == [], "not here, no key at all, or not timed"
    assert ledger.time_and_cost([]) == []


def test_the_summary_counts_by_stage_and_model(ledger):
    def call(letter, seconds, cost):
        return Call(letter * 64, request(letter), completion(), seconds, cost)

    ledger.commit("M2/candidates", "M1", [call("a", 1.0, 0.0), call("b", 2.0, 0.0)])
    ledger.commit("evals/alpaca", "openai:x", [call("c", 1.5, 0.25), call("d", 0.5, None)], ["HTTP 429", "timeout"])
    ledger.commit("evals/alpaca", "openai:x", [], ["HTTP 429"])
    ledger.commit("evals/alpaca", "M1", [call("e", None, None)])
    ledger.commit("evals/card", "openai:x", [], ["reset"])
    ledger.commit("evals/card", "openai:x", [call("a", 9.0, 9.0)])  # answered before, in another stage
    rows = ledger.summary()
    assert rows == [
        LedgerRow("M2/candidates", "M1", 2, 10, 14, 3.0, 0, 0.0, 0, {}),
        LedgerRow("evals/alpaca", "M1", 1, 5, 7, None, 1, None, 1, {}),
        LedgerRow("evals/alpaca", "openai:x", 2, 10, 14, 2.0, 0, 0.25, 1, {"HTTP 429": 2, "timeout": 1}),
        LedgerRow("evals/card", "openai:x", 0, 0, 0, None, 0, None, 0, {"reset": 1}),
    ]
    assert [row.failed for row in rows] == [0, 0, 3, 1]
    whole = total(rows)
    assert whole == LedgerRow("", "", 5, 25, 35, 5.0, 1, 0.25, 2, {"HTTP 429": 2, "reset": 1, "timeout": 1})
    assert whole.failed == 4


def test_the_summary_of_nothing(ledger):
    assert ledger.summary() == []
    assert total([]) == LedgerRow("", "", 0, 0, 0, None, 0, None, 0, {})


# --- asking -----------------------------------------------------------------------------------------------------------


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
    """Counts its transactions."""

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
