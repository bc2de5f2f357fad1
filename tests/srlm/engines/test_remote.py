"""The engines behind a server, against a small HTTP server that speaks both protocols and fails on demand."""

import asyncio
import json
import math
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

pytest.importorskip("openai")
pytest.importorskip("anthropic")

from helpers.servers import REASONS, Server, preference, serving
from srlm.console import Progress
from srlm.engines import anthropic, openai, remote
from srlm.engines import completions as replies
from srlm.engines.api_errors import parse_retry_after
from srlm.engines.client_config import ClientConfig
from srlm.engines.open import open_engine
from srlm.errors import EngineError, UsageError
from srlm.inference import Caller
from srlm.judges.pairwise import Match, compare, load_pairwise
from srlm.ledger import Ledger
from srlm.types import Answer, Completion, Failed, Message, Request, Sampling

SECRET = "sk-secret-0123456789"
CLIENT = ClientConfig(deadline=5.0, initial_backoff=0.02, max_backoff=0.2)
PROTOCOLS = ("openai", "anthropic")


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as running:
        yield running


CHOICE = Request((Message("user", "A or B?"),), choices=("A", "B"))
FREE = Request(
    (
        Message("system", "Be brief."),
        Message("user", "Say A."),
    ),
    Sampling(0.7, 0.9, 16, stop=("x",)),
    seed=3,
)


def calls(count: int) -> list[list[Request]]:
    return [[Request((Message("user", f"A or B? {number}"),), choices=("A", "B"))] for number in range(count)]


def opened(server: Server, protocol: str = "openai", client: ClientConfig = CLIENT) -> Any:
    return open_engine(server.spec(protocol, "judge"), client=client)


# --- what is sent and read --------------------------------------------------------------------------------------------


def test_openai_gives_renormalised_probabilities(server: Server) -> None:
    (reply,) = next(opened(server).run([[CHOICE]])).replies
    assert isinstance(reply, Completion)
    first = preference([{"role": "user", "content": "A or B?"}])
    assert reply.probabilities == pytest.approx((first, 1 - first))
    assert reply.finish == "stop"
    assert server.log[0].body["max_tokens"] == 1
    assert server.log[0].body["logprobs"] is True


def test_probabilities_of_other_tokens_are_left_out() -> None:
    top = [
        openai.Alternative(token, logprob) for token, logprob in (("A", -0.51), (" B", -1.61), ("B", -3.0), ("x", -4.0))
    ]
    found, mass = openai.choice_probabilities(("A", "B"), tuple(top))
    a, b = math.exp(-0.51), math.exp(-1.61) + math.exp(-3.0)
    assert found == pytest.approx((a / (a + b), b / (a + b)))
    assert mass == pytest.approx(a + b)
    assert openai.choice_probabilities(("C", "D"), tuple(top)) == (None, 0.0)


def test_openai_gives_text_with_the_sampling_asked_for(server: Server) -> None:
    (reply,) = next(opened(server).run([[FREE]])).replies
    assert isinstance(reply, Completion)
    assert reply.text in {"A", "B"}
    assert (reply.finish, reply.prompt_tokens, reply.completion_tokens, reply.probabilities) == ("stop", 4, 1, None)
    body = server.log[0].body
    assert (body["temperature"], body["top_p"], body["max_tokens"], body["stop"]) == (0.7, 0.9, 16, ["x"])
    assert body["messages"] == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Say A."}]


def test_anthropic_gives_text_and_keeps_the_system_message_apart(server: Server) -> None:
    (reply,) = next(opened(server, "anthropic").run([[FREE]])).replies
    assert isinstance(reply, Completion)
    assert reply.text in {"A", "B."}
    assert (reply.prompt_tokens, reply.completion_tokens) == (2, 2)
    path, body = server.log[0].path, server.log[0].body
    assert path.endswith("/v1/messages")
    assert body["system"] == "Be brief."
    assert (body["temperature"], body["top_p"], body["stop_sequences"]) == (0.7, 0.9, ["x"])
    assert all(message["role"] != "system" for message in body["messages"])


def test_the_providers_own_servers_are_asked_in_their_own_way(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.setenv(variable, SECRET)
    own = open_engine("openai:gpt-4o-mini"), open_engine("anthropic:claude")
    assert [engine.identity for engine in own] == ["openai:gpt-4o-mini@openai", "anthropic:claude@anthropic"]
    bodies = [engine._body(FREE) for engine in own]  # type: ignore[attr-defined]
    assert bodies[0]["max_completion_tokens"] == 16
    assert "temperature" not in bodies[1]  # Anthropic's models choose for themselves


def test_an_address_from_the_environment_is_not_followed(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the ledger would name the provider for what another server answered."""
    for variable in ("OPENAI_BASE_URL", "ANTHROPIC_BASE_URL"):
        monkeypatch.setenv(variable, server.address)
    for variable in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.setenv(variable, SECRET)
    for spec, home in (("openai:x", "https://api.openai.com/v1"), ("anthropic:x", "https://api.anthropic.com")):
        client = open_engine(spec).connect()  # type: ignore[attr-defined]
        assert str(client.base_url).rstrip("/") == home


def test_half_of_a_surrogate_pair_becomes_text_that_can_be_written() -> None:
    assert replies.encodable("cut \ud83d").encode() == b"cut ?"


def test_a_judge_that_always_votes_b_is_seen_through(
    server: Server, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("helpers.servers.preference", lambda messages: 0.1)
    engine = opened(server, "anthropic")
    match = Match("m", "Which?", Answer("one", "p", "x", "first", "stop"), Answer("two", "p", "y", "second", "stop"))
    ledger = Ledger(tmp_path / "ledger.sqlite")
    found = compare(Caller(engine, ledger, "s", Progress(quiet=True)), load_pairwise(), [match], label="l")
    assert found[0].orders == (0.0, 1.0)
    assert found[0].value == 0.5
    assert found[0].consistent is False


def test_servers_do_not_continue_a_given_beginning(server: Server) -> None:
    with pytest.raises(EngineError, match="beginning"):
        opened(server).plan([Request((Message("user", "x"),), prefill="Score: ")])


# --- faults -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_third_of_the_attempts_may_fail(protocol: str) -> None:
    with serving(faults=0.3, hang=1.5) as server:
        found = list(opened(server, protocol, replace(CLIENT, deadline=2.5)).run(calls(120)))
        assert sorted(done.batch for done in found) == list(range(120))
        assert all(isinstance(reply, Completion) for done in found for reply in done.replies)
        assert len(server.answered) == 120
        counted = Counter(fault for done in found for fault in done.failed_attempts)
        assert counted == Counter(REASONS[attempt.fault] for attempt in server.failed if attempt.fault)
        assert {attempt.fault for attempt in server.failed} == set(REASONS)
        slowest = max(found, key=lambda done: len(done.failed_attempts))
        assert slowest.seconds > 0.02


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_call_that_the_server_refuses_fails_alone_and_at_once(server: Server, status: int) -> None:
    server.status = status
    found = list(opened(server).run(calls(3)))
    assert [done.replies for done in found] == [[Failed(f"HTTP {status}: no, Bearer none")]] * 3
    assert [done.failed_attempts for done in found] == [(f"HTTP {status}",)] * 3
    assert len(server.log) == 3


def test_a_redirection_is_not_followed_because_the_key_would_go_along(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(remote.SERVER_KEY_VARIABLE, SECRET)
    with serving() as elsewhere:
        send = server.RequestHandlerClass.end_headers

        def end_headers(self: Any) -> None:
            self.send_header("Location", f"{elsewhere.address}/v1/messages")
            send(self)

        server.status = 307
        monkeypatch.setattr(server.RequestHandlerClass, "end_headers", end_headers)
        for protocol in PROTOCOLS:
            with pytest.raises(EngineError, match=r"redirects these calls \(HTTP 307\)"):
                list(opened(server, protocol).run([[CHOICE]]))
        assert len(server.log) == 2
        assert elsewhere.log == []


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(("status", "words"), [(401, "SRLM_API_KEY"), (403, "SRLM_API_KEY"), (404, "'judge'")])
def test_what_every_call_would_meet_ends_the_command(
    server: Server, monkeypatch: pytest.MonkeyPatch, protocol: str, status: int, words: str
) -> None:
    monkeypatch.setenv(remote.SERVER_KEY_VARIABLE, SECRET)
    server.status = status
    found = []
    with pytest.raises(EngineError, match=words) as raised:
        found += list(opened(server, protocol, replace(CLIENT, max_connections=1)).run(calls(20)))
    assert len(server.log) == 1
    assert SECRET in "".join(server.log[0].headers.values())  # the server echoes it
    assert SECRET not in str(raised.value)


def test_the_attempts_before_an_error_are_counted(server: Server) -> None:
    server.status = 401
    done = []
    with pytest.raises(EngineError):
        for one in opened(server, client=replace(CLIENT, max_connections=1)).run(calls(5)):
            done.append(one)
    assert [one.failed_attempts for one in done] == [("HTTP 401",)]


def test_a_dead_server_is_one_error_after_the_deadline() -> None:
    with serving() as gone:
        spec = gone.spec("openai", "judge")
    faults = []
    with pytest.raises(EngineError, match=r"answered nothing for 1 s; the last failure: no connection") as raised:
        for done in open_engine(spec, client=replace(CLIENT, deadline=1.0)).run(calls(200)):
            faults += done.failed_attempts
    assert set(faults) == {"no connection"}
    assert "same command" in str(raised.value)


def test_a_server_that_never_answers_is_one_error_after_the_deadline() -> None:
    with serving(delay=5.0) as server, pytest.raises(EngineError, match="the last failure: timeout"):
        list(opened(server, client=replace(CLIENT, deadline=1.0)).run(calls(3)))


def test_a_server_that_answers_now_and_then_is_waited_for() -> None:
    """The deadline counts from the last answer, not from the first call."""
    with serving(delay=0.3) as server:
        found = list(opened(server, client=replace(CLIENT, deadline=1.0, max_connections=1)).run(calls(6)))
    assert len(found) == 6


def test_silence_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("srlm.engines.request_pool.SILENCE_WARNING_S", 0.2)
    with serving() as gone:
        spec = gone.spec("openai", "judge")
    said: list[str] = []
    with pytest.raises(EngineError):
        list(open_engine(spec, client=replace(CLIENT, deadline=1.0, warn=said.append)).run(calls(5)))
    assert len(said) == 1
    assert "no connection" in said[0]


def test_the_server_says_how_long_to_wait(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.retry_after = "0.6"
    fates = iter(["429", None])
    monkeypatch.setattr(server, "fate", lambda attempt: (next(fates), 0.0))
    waits: list[float] = []
    sleep = asyncio.sleep

    async def noted(seconds: float) -> None:
        waits.append(seconds)
        await sleep(seconds)

    monkeypatch.setattr(asyncio, "sleep", noted)
    (done,) = opened(server).run([[CHOICE]])
    assert done.failed_attempts == ("HTTP 429",)
    assert max(waits) == pytest.approx(0.6)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, 0),
        ("7", 7),
        ("0.5", 0.5),
        ("-3", 0),
        ("nan", 0),
        ("inf", 0),
        ("soon", 0),
        ("", 0),
        (format_datetime(datetime(2030, 1, 1, tzinfo=UTC) + timedelta(seconds=90), usegmt=True), 90),
        ("Tue, 01 Jan 2030 00:00:30", 30),
        (format_datetime(datetime(2029, 1, 1, tzinfo=UTC)), 0),
    ],
)
def test_retry_after_is_a_number_or_a_date(header: str | None, seconds: float) -> None:
    assert parse_retry_after(header, datetime(2030, 1, 1, tzinfo=UTC)) == seconds


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        "text",
        None,
        {"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1}},
        {"choices": [{"message": None}], "usage": {"prompt_tokens": 1, "completion_tokens": 1}},
        {"choices": [{"message": {"content": 3}}], "usage": {"prompt_tokens": 1, "completion_tokens": 1}},
        {"choices": [{"message": {"content": "A"}}], "usage": {"prompt_tokens": -1, "completion_tokens": 1}},
        {
            "choices": [
                {
                    "message": {"content": "A"},
                    "logprobs": {"content": [{"top_logprobs": [{"token": "A", "logprob": 900}]}]},
                }
            ],
            "usage": {"prompt_tokens": 1, "completion_tokens": 1},
        },
    ],
)
def test_a_reply_of_another_shape_is_malformed_and_asked_for_again(
    server: Server, monkeypatch: pytest.MonkeyPatch, body: Any
) -> None:
    right = server.RequestHandlerClass.chat  # type: ignore[attr-defined]
    monkeypatch.setattr(
        server.RequestHandlerClass, "chat", lambda self, asked: body if len(server.log) == 1 else right(self, asked)
    )
    (done,) = opened(server).run([[CHOICE]])
    assert isinstance(done.replies[0], Completion)
    assert done.failed_attempts == ("cut or malformed body",)


def test_an_empty_reply_is_no_answer(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    reply = {
        "choices": [{"message": {"content": None}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 0},
    }
    monkeypatch.setattr(server.RequestHandlerClass, "chat", lambda self, asked: reply)
    (done,) = opened(server).run([[FREE]])
    assert done.replies == [Failed("no answer in the reply: it is empty, with finish reason stop")]
    assert len(server.log) == 3


# --- traffic ----------------------------------------------------------------------------------------------------------


def test_no_more_calls_are_in_flight_than_allowed() -> None:
    with serving(delay=0.05) as server:
        list(opened(server, client=replace(CLIENT, max_connections=5)).run(calls(40)))
        assert server.most_at_once == 5


def test_a_reader_that_goes_leaves_nothing_running() -> None:
    with serving(delay=0.05) as server:
        before = threading.active_count()
        running = opened(server, client=replace(CLIENT, max_connections=2)).run(calls(100))
        next(running)
        running.close()
        time.sleep(0.3)
        asked = len(server.log)
        time.sleep(0.3)
        assert len(server.log) == asked < 10
        assert not [one for one in threading.enumerate() if one.name.startswith("srlm")]
        assert threading.active_count() <= before + 2  # the server's own, one a connection


def test_an_engine_can_be_run_again(server: Server) -> None:
    engine = opened(server)
    for _ in range(2):
        assert len(list(engine.run(calls(3)))) == 3
    assert list(engine.run([])) == []
    engine.close()


def test_every_answer_is_ticked(server: Server) -> None:
    ticks: list[None] = []
    list(opened(server).run(calls(4), lambda: ticks.append(None)))
    assert len(ticks) == 4


# --- keys and addresses -----------------------------------------------------------------------------------------------


def test_the_providers_key_is_not_sent_to_another_address(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY", "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"):
        monkeypatch.setenv(variable, SECRET)
    monkeypatch.delenv(remote.SERVER_KEY_VARIABLE, raising=False)
    next(opened(server).run([[CHOICE]]))
    next(opened(server, "anthropic").run([[FREE]]))
    assert len(server.log) == 2
    for attempt in server.log:
        assert SECRET not in json.dumps([attempt.body, attempt.headers])


@pytest.mark.parametrize(
    ("engine", "variable"), [(openai.OpenAIEngine, "OPENAI_API_KEY"), (anthropic.AnthropicEngine, "ANTHROPIC_API_KEY")]
)
def test_a_missing_key_stops_the_first_call_and_no_replay(
    engine: Any, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(variable, raising=False)
    opened = engine("some-model", None)
    assert list(opened.run([])) == []
    with pytest.raises(UsageError, match=variable):
        list(opened.run([[Request((Message("user", "Hello."),))]]))


@pytest.mark.parametrize("key", ["sk-ümlaut", "sk-two\nlines"])
def test_a_key_that_is_none_is_refused_without_being_shown(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", key)
    with pytest.raises(UsageError, match="OPENAI_API_KEY") as raised:
        open_engine("openai:gpt-4o").key  # noqa: B018
    assert "sk-" not in str(raised.value)


def test_a_line_end_after_a_key_is_none_of_it(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(remote.SERVER_KEY_VARIABLE, f"{SECRET}\n")
    next(opened(server).run([[CHOICE]]))
    assert server.log[0].headers["authorization"] == f"Bearer {SECRET}"


def test_an_address_without_its_beginning_is_refused_at_once() -> None:
    with pytest.raises(UsageError, match="http://"):
        open_engine("openai:judge@localhost:8000/v1")


def test_a_known_model_has_its_list_price_at_any_address(server: Server) -> None:
    pytest.importorskip("genai_prices")
    assert open_engine(server.spec("openai", "gpt-4o-mini")).price is not None
    assert open_engine(server.spec("openai", "a-model-of-my-own")).price is None
