"""A field that a server refuses by name is left out, stored in the ledger, and never discovered or paid for twice."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("openai")
pytest.importorskip("anthropic")

from helpers.servers import Odd, Server, chat, refusing, serving
from srlm.console import Progress
from srlm.engines.budget import Budget
from srlm.engines.capabilities import FULL, Capabilities, refused_field
from srlm.engines.client_config import ClientConfig
from srlm.engines.open import open_engine
from srlm.errors import EngineError
from srlm.inference import Caller, find_stored, load_capabilities
from srlm.ledger import Ledger, request_key
from srlm.ledger_export import export_calls, import_calls
from srlm.types import Completion, Message, Reply, Request, Sampling

FREE = Request((Message("user", "Say A."),), Sampling(0.7, 0.9, 16, stop=("x",)), seed=3)
CHOICE = Request((Message("user", "A or B?"),), choices=("A", "B"))
SENT = ("model", "messages", "temperature", "top_p", "seed", "max_tokens", "stop", "logprobs", "top_logprobs")


def put(
    server: Server, ledger: Ledger, *requests: Request, protocol: str = "openai"
) -> tuple[list[Any], list[str], Any]:
    """Return the replies, the warnings, and the engine of a new command."""
    said: list[str] = []
    client = ClientConfig(timeout=3.0, initial_backoff=0.01, max_backoff=0.02, warn=said.append)
    engine = open_engine(server.spec(protocol, "judge"), client=client)
    found = Caller(engine, ledger, "s", Progress(quiet=True)).ask(requests, "l")
    return found, said, engine


def shaped(shape: str, field: str) -> Any:
    """Refusals in the JSON shapes of several servers."""
    return {
        "param": {"error": {"message": "This is not for you.", "param": field, "code": "unsupported_parameter"}},
        "quoted": {"error": {"message": f"Unsupported value: '{field}' does not support this.", "param": None}},
        "word": {"message": f"{field} is not supported with this model", "object": "error"},
        "list": [{"error": {"code": 400, "message": f'Unknown name "{field}": Cannot find field.'}}],
        "detail": {
            "detail": [{"type": "extra_forbidden", "loc": ["body", field], "msg": "Extra inputs are not permitted"}]
        },
        "nested": {"message": {"detail": [{"loc": ["body", field], "msg": "Extra inputs are not permitted"}]}},
        "text": f"unknown field {field}",
    }[shape]


@pytest.mark.parametrize("shape", ["param", "quoted", "word", "list", "detail", "nested", "text"])
@pytest.mark.parametrize("field", ["temperature", "top_p", "seed", "logprobs"])
@pytest.mark.parametrize("status", [400, 422])
def test_the_field_that_is_refused_is_found(shape: str, field: str, status: int) -> None:
    assert refused_field(status, shaped(shape, field), SENT, FULL) == field


@pytest.mark.parametrize(
    ("status", "message", "field"),
    [
        (400, "temperature and top_p cannot both be specified for this model. Please use only one.", "top_p"),
        (
            400,
            "Unsupported parameter: 'max_tokens' is not supported. Use 'max_completion_tokens' instead.",
            "max_tokens",
        ),
        (400, "max_tokens is too large: 5000. This model supports at most 4096 completion tokens.", None),
        (400, "This model's maximum context length is 4096 tokens; 5000 were asked for.", None),
        (400, "Invalid value for 'top_logprobs': must be less than or equal to 5.", "top_logprobs=5"),
        (400, "top_logprobs must be between 0 and 8", "top_logprobs=8"),
        (400, "topLogprobs is out of range", "top_logprobs=5"),
        (400, "seed is not supported. Supported parameters are temperature, top_p, stop.", "seed"),
        (400, "Parameter `stop` is not supported", "stop"),
        (400, "Please stop sending so much.", None),
        (403, "You are not allowed to request logprobs from this model", "logprobs"),
        (403, "temperature is not for this key", None),
        (429, "temperature", None),
        (400, "presence_penalty is not supported", None),
    ],
)
def test_only_what_was_sent_and_is_refused_is_left_out(status: int, message: str, field: str | None) -> None:
    assert refused_field(status, {"error": {"message": message}}, SENT, FULL) == field


def test_fewer_alternatives_are_asked_for_until_none_are() -> None:
    error = {"error": {"message": "bad", "param": "top_logprobs"}}
    few = FULL.refusing(["top_logprobs=5"])
    assert few.top_logprobs == 5
    assert refused_field(400, error, SENT, few) == "logprobs"


@pytest.mark.parametrize("field", ["temperature", "top_p", "seed", "stop", "logprobs", "max_tokens"])
@pytest.mark.parametrize("count", [1, 12])
def test_a_refused_field_costs_nothing_twice(tmp_path: Path, field: str, count: int) -> None:
    """Concurrent calls adopt the refusal too; the next command starts with it and finds all stored answers."""
    request = CHOICE if field == "logprobs" else FREE
    requests = [Request(request.messages, request.sampling, seed, 0, "", request.choices) for seed in range(count)]
    with serving(odd=refusing(field)) as server:
        ledger = Ledger(tmp_path / "l.sqlite")
        found, said, engine = put(server, ledger, *requests)
        assert all(isinstance(reply, Completion) for _, reply in found)
        assert said == [line for line in said if line.startswith(f"openai:judge refuses {field}")][:1]
        assert all(
            (key == request_key(engine.identity, one)) == (field == "max_tokens")
            for (key, _), one in zip(found, requests, strict=True)
        )
        assert not ledger.summary()[0].failures
        ledger.close()
        server.log.clear()
        ledger = Ledger(tmp_path / "l.sqlite")
        again, _, second = put(server, ledger, *requests)
        assert server.log == []
        assert again == found
        assert second.identity == engine.identity
        # What is new is asked at once as the server wants it.
        put(server, ledger, Request((Message("user", "New?"),), request.sampling, choices=request.choices))
        assert [attempt.fault for attempt in server.log] == [None]
        ledger.close()


def test_several_fields_are_left_out_one_after_the_other(tmp_path: Path) -> None:
    with serving(odd=refusing("temperature", "seed", "top_logprobs")) as server:
        ledger = Ledger(tmp_path / "l.sqlite")
        ((_, reply),), said, engine = put(server, ledger, CHOICE)
        assert isinstance(reply, Completion)
        assert reply.probabilities is None
        assert engine.capabilities.refused == ("temperature", "seed", "top_logprobs=5", "logprobs")
        assert len(said) == 4
        server.log.clear()
        put(server, ledger, CHOICE)
        assert server.log == []


def test_anthropics_samplings_are_not_sent_together(tmp_path: Path) -> None:
    words = "`temperature` and `top_p` cannot both be specified for this model. Please use only one."

    def odd(body: dict[str, Any]) -> Odd | None:
        return (
            Odd({"type": "error", "error": {"message": words}}, 400)
            if {"temperature", "top_p"} <= body.keys()
            else None
        )

    with serving(odd=odd) as server:
        ledger = Ledger(tmp_path / "l.sqlite")
        _, said, _ = put(server, ledger, FREE, protocol="anthropic")
        assert said == ["anthropic:judge refuses top_p: sent without it."]
        assert "temperature" in server.log[-1].body
        put(server, ledger, FREE, protocol="anthropic")
        assert len(server.log) == 2


def test_a_field_that_is_named_by_chance_is_not_learned(tmp_path: Path) -> None:
    with serving(odd=lambda body: Odd({"error": {"message": "no answer about temperature here"}}, 400)) as server:
        with pytest.raises(EngineError, match="HTTP 400: no answer about temperature here"):
            put(server, Ledger(tmp_path / "l.sqlite"), FREE)
        assert len(server.log) == 2
    assert Ledger(tmp_path / "l.sqlite").refused(f"openai:judge@{server.address}/v1") == ()


def test_an_answer_from_before_a_refusal_is_found(tmp_path: Path) -> None:
    """A server may accept temperature 1 and refuse others: earlier answers with all fields are found in the ledger."""

    def odd(body: dict[str, Any]) -> Odd | None:
        refused = body.get("temperature", 1.0) != 1.0
        return Odd({"error": {"message": "only 1", "param": "temperature"}}, 400) if refused else Odd(chat("Yes."))

    first = Request(FREE.messages, Sampling(1.0, 0.9, 16))
    with serving(odd=odd) as server:
        ledger = Ledger(tmp_path / "l.sqlite")
        put(server, ledger, first)
        put(server, ledger, FREE)
        server.log.clear()
        put(server, ledger, first, FREE)
        assert server.log == []


def test_without_probabilities_a_choice_is_a_vote_in_words_with_room(tmp_path: Path) -> None:
    with serving(odd=refusing("logprobs", status=403, words="You are not allowed to request {}")) as server:
        ((_, reply),), _, engine = put(server, Ledger(tmp_path / "l.sqlite"), CHOICE)
        assert isinstance(reply, Completion)
        assert reply.probabilities is None
        assert reply.text in {"A", "B"}
        assert server.log[-1].body["max_tokens"] == 8 == engine.max_output_tokens(CHOICE)


def test_a_stop_string_that_is_refused_is_cut_here(tmp_path: Path) -> None:
    def odd(body: dict[str, Any]) -> Odd:
        return (
            Odd({"detail": [{"loc": ["body", "stop"], "msg": "no"}]}, 422) if "stop" in body else Odd(chat("Yes x no"))
        )

    with serving(odd=odd) as server:
        ((_, reply),), _, _ = put(server, Ledger(tmp_path / "l.sqlite"), FREE)
    assert isinstance(reply, Completion)
    assert reply.text == "Yes "


def test_the_budget_holds_for_calls_that_are_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("genai_prices")
    budget = Budget(1.0)
    with serving(odd=refusing("seed")) as server:
        engine = open_engine(server.spec("openai", "gpt-4o-mini"), budget=budget)
        (done,) = engine.run([[FREE]], lambda: None)
    (reply,) = done.replies
    assert isinstance(reply, Completion)
    assert engine.price is not None
    assert budget.spent == pytest.approx(engine.price.of(reply))
    assert budget.idle


def test_unknown_tokens_cost_the_most_that_they_can(tmp_path: Path) -> None:
    pytest.importorskip("genai_prices")
    budget = Budget(1.0)
    with serving(odd=lambda body: Odd(chat("Yes.", usage=None))) as server:
        engine = open_engine(server.spec("openai", "gpt-4o-mini"), budget=budget)
        ledger = Ledger(tmp_path / "l.sqlite")
        Caller(engine, ledger, "s", Progress(quiet=True)).ask([FREE], "l")
    assert budget.spent > 0
    assert ledger.summary()[0].unpriced == 1


def test_ledgers_without_the_table_are_read_and_written(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "l.sqlite")
    assert ledger.refused("x") == ()
    ledger.keep_refused("x", ["seed"])
    ledger.keep_refused("x", ["temperature", "seed"])
    assert ledger.refused("x") == ("seed", "temperature")
    ledger.close()
    with sqlite3.connect(tmp_path / "l.sqlite") as connection:
        connection.execute("UPDATE capabilities SET refused = '{'")
    assert Ledger(tmp_path / "l.sqlite").refused("x") == ()


def test_an_exported_ledger_is_replayed_without_a_server(tmp_path: Path) -> None:
    with serving(odd=refusing("seed")) as server:
        ledger = Ledger(tmp_path / "l.sqlite")
        found, _, _ = put(server, ledger, FREE)
        assert export_calls(ledger, tmp_path / "calls.jsonl") == 1
        elsewhere = Ledger(tmp_path / "other.sqlite")
        assert import_calls(elsewhere, tmp_path / "calls.jsonl") == (1, 1)
        server.log.clear()
        assert put(server, elsewhere, FREE)[0] == found
        assert server.log == []


def test_words_that_are_none_are_not_learned() -> None:
    assert Capabilities().refusing(["rm -rf", "top_logprobs=x", "seed"]).refused == ("seed",)


def test_who_was_first_in_the_ledger_is_believed(tmp_path: Path) -> None:
    """Two processes made the same call: files and ledger agree on the answer that was stored first."""
    ledger = Ledger(tmp_path / "l.sqlite")
    replies: list[Reply] = []

    def odd(body: dict[str, Any]) -> Odd:
        if not replies:  # while this one waits, the other process has its answer
            other = Ledger(tmp_path / "l.sqlite")
            with serving(odd=lambda body: Odd(chat("first"))) as elsewhere:
                elsewhere_engine = open_engine(elsewhere.spec("openai", "judge"))
                elsewhere_engine.identity = f"openai:judge@{server.address}/v1"
                found = Caller(elsewhere_engine, other, "s", Progress(quiet=True)).ask([FREE], "l")
                replies.append(found[0][1])
        return Odd(chat("second"))

    with serving(odd=odd) as server:
        ((key, reply),), _, engine = put(server, ledger, FREE)
    assert isinstance(reply, Completion)
    assert reply.text == "first"
    assert ledger.get(key) == reply
    load_capabilities(engine, ledger)
    assert find_stored(engine, ledger, FREE) == (key, reply)
