"""The ledger: keys, transactions, summaries."""

import sqlite3
from dataclasses import fields, replace
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.calls import completion, request
from srlm.errors import DataError
from srlm.ledger import Call, Ledger, LedgerRow, request_key, total
from srlm.types import Message, Request, Sampling

REQUEST = Request((Message("user", "Hello"),), Sampling(0.7, 0.9, 64, ("\n",)), seed=3, sample=1, prefill="1.")


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
    """Literal digests: with a changed key, stored calls would not be found."""
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
