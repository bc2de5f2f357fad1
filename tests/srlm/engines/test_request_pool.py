"""The request pool against a local HTTP server that fails on demand: retries, timeouts, concurrency."""

import asyncio
import threading
import time
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

pytest.importorskip("openai")
pytest.importorskip("anthropic")
from helpers.remote_engines import CHOICE, CLIENT, FREE, PROTOCOLS, calls, opened
from helpers.servers import REASONS, Server, serving
from srlm.engines.client_config import ClientConfig
from srlm.engines.open import open_engine
from srlm.errors import EngineError
from srlm.types import Completion, Failed


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_third_of_the_attempts_may_fail(protocol: str) -> None:
    with serving(faults=0.3, hang=1.5) as server:
        found = list(opened(server, protocol, replace(CLIENT, timeout=2.5)).run(calls(120)))
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


def test_the_attempts_before_an_error_are_counted(server: Server) -> None:
    server.status = 401
    done = []
    with pytest.raises(EngineError):
        for one in opened(server, client=replace(CLIENT, max_connections=1)).run(calls(5)):
            done.append(one)
    assert [one.failed_attempts for one in done] == [("HTTP 401",)]


def test_a_dead_server_is_one_error_after_the_timeout() -> None:
    with serving() as gone:
        spec = gone.spec("openai", "judge")
    faults = []
    with pytest.raises(EngineError, match=r"answered nothing for 1 s; the last failure: no connection") as raised:
        for done in open_engine(spec, client=replace(CLIENT, timeout=1.0)).run(calls(200)):
            faults += done.failed_attempts
    assert set(faults) == {"no connection"}
    assert "same command" in str(raised.value)


def test_a_server_that_never_answers_is_one_error_after_the_timeout() -> None:
    with serving(delay=5.0) as server, pytest.raises(EngineError, match="the last failure: timeout"):
        list(opened(server, client=replace(CLIENT, timeout=1.0)).run(calls(3)))


def test_a_server_that_answers_now_and_then_is_waited_for() -> None:
    """The timeout counts from the last answer, not from the first call."""
    with serving(delay=0.5) as server:  # half of what an attempt may take, so that a busy machine is no failure
        found = list(opened(server, client=replace(CLIENT, timeout=2.5, max_connections=1)).run(calls(6)))
    assert len(found) == 6


def test_the_user_is_warned_of_silence_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("srlm.engines.request_pool.SILENCE_WARNING_S", 0.2)
    with serving() as gone:
        spec = gone.spec("openai", "judge")
    said: list[str] = []
    with pytest.raises(EngineError):
        list(open_engine(spec, client=replace(CLIENT, timeout=1.0, warn=said.append)).run(calls(5)))
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


def test_no_more_calls_are_concurrent_than_allowed() -> None:
    with serving(delay=0.05) as server:
        list(opened(server, client=replace(CLIENT, max_connections=5)).run(calls(40)))
        assert server.most_at_once == 5


@pytest.mark.parametrize(("limit", "first", "then"), [(None, 16, 24), (40, 40, 40)])
def test_a_vllm_server_gets_16_calls_at_once_and_more_when_they_were_answered(
    limit: int | None, first: int, then: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first calls are answered when `first` are there together, and later ones when `then` are."""
    with serving() as server:

        def fate(attempt: Any) -> tuple[None, float]:
            with server.lock:
                server.log.append(attempt)
                wanted = first if len(server.log) <= first else then
            until = time.monotonic() + 60
            while server.most_at_once < wanted and time.monotonic() < until:
                time.sleep(0.01)
            return None, 0.0

        monkeypatch.setattr(server, "fate", fate)
        assert _asks(server, ClientConfig(limit, timeout=3000.0)) == 80
        assert then <= server.most_at_once <= (limit or 80)


def test_a_slow_vllm_server_gets_no_more_calls_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("srlm.engines.request_pool.SOON", 0)
    with serving(delay=0.05) as server:
        assert _asks(server, ClientConfig(timeout=120.0)) == 80
        assert server.most_at_once <= 16


def _asks(server: Server, client: ClientConfig) -> int:
    """Ask it as a vLLM server for 80 texts; return how many came."""
    engine = open_engine(f"vllm:judge@{server.address}/v1", client=client)
    return len(list(engine.run([[replace(FREE, seed=number)] for number in range(80)])))


def test_closing_the_iterator_leaves_nothing_running() -> None:
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


def test_every_answer_counts_as_progress(server: Server) -> None:
    ticks: list[None] = []
    list(opened(server).run(calls(4), lambda: ticks.append(None)))
    assert len(ticks) == 4


def test_an_infinite_timeout_is_no_number_for_the_client() -> None:
    with serving() as server:
        client = ClientConfig(timeout=float("inf"))
        (done,) = open_engine(server.spec("openai", "m"), client=client).run([[CHOICE]], lambda: None)
    assert done.failed_attempts == ()


def test_an_empty_reply_is_no_answer(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    reply = {
        "choices": [{"message": {"content": None}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 0},
    }
    monkeypatch.setattr(server.RequestHandlerClass, "chat", lambda self, asked: reply)
    (done,) = opened(server).run([[FREE]])
    assert done.replies == [Failed("no answer in the reply: it is empty, with finish reason stop")]
    assert len(server.log) == 3
