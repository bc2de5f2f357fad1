"""The engines behind a server, against a small HTTP server that speaks both protocols and fails on demand."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

pytest.importorskip("openai")
pytest.importorskip("anthropic")

from srlm.display import Progress
from srlm.engines import anthropic, openai, remote
from srlm.engines.open import open_engine
from srlm.errors import EngineError, UsageError
from srlm.judges.pairwise import Match, compare, load_pairwise
from srlm.ledger import Ledger
from srlm.types import Answer, Completion, Failed, Message, Request, Sampling

SECRET = "sk-secret-0123456789"


class Server(ThreadingHTTPServer):
    """Answers "A" with three quarters of the mass on A; the first `failures` calls fail with `status`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.calls: list[tuple[str, dict[str, Any], dict[str, str]]] = []
        self.failures = 0
        self.status = 500

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *args: object) -> None:
        pass

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.calls.append((self.path, body, dict(self.headers)))
        if len(self.server.calls) <= self.server.failures:
            self.reply(self.server.status, {"error": {"message": f"no, {self.headers.get('Authorization')}"}})
        elif self.path.endswith("/chat/completions"):
            self.reply(200, self.chat(body))
        else:
            self.reply(200, self.messages(body))

    def chat(self, body: dict[str, Any]) -> dict[str, Any]:
        choice: dict[str, Any] = {"index": 0, "message": {"role": "assistant", "content": "A"}, "finish_reason": "stop"}
        if body.get("logprobs"):
            top = [
                {"token": "A", "logprob": -0.51},
                {"token": " B", "logprob": -1.61},
                {"token": "The", "logprob": -3.0},
            ]
            choice["logprobs"] = {"content": [{**top[0], "top_logprobs": top}]}
            choice["finish_reason"] = "length"
        usage = {"prompt_tokens": 7, "completion_tokens": 1, "total_tokens": 8}
        return {"id": "1", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice], "usage": usage}

    def messages(self, body: dict[str, Any]) -> dict[str, Any]:
        return {
            "id": "1",
            "type": "message",
            "role": "assistant",
            "model": "m",
            "content": [{"type": "text", "text": "B."}],
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": 5, "output_tokens": 2},
        }

    def reply(self, status: int, data: dict[str, Any]) -> None:
        payload = json.dumps(data).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


CHOICE = Request((Message("user", "A or B?"),), choices=("A", "B"))
FREE = Request(
    (
        Message("system", "Be brief."),
        Message("user", "Say A."),
    ),
    Sampling(0.7, 0.9, 16, stop=("x",)),
    seed=3,
)


def test_openai_gives_renormalised_probabilities(server: Server) -> None:
    engine = open_engine(f"openai:judge@{server.address}/v1")
    (reply,) = next(engine.run([[CHOICE]])).replies
    assert isinstance(reply, Completion)
    assert reply.probabilities == pytest.approx((0.7503, 0.2497), abs=1e-3)
    _, body, _ = server.calls[0]
    assert body["max_tokens"] == 1
    assert body["logprobs"] is True


def test_openai_gives_text_with_the_sampling_asked_for(server: Server) -> None:
    engine = open_engine(f"openai:judge@{server.address}/v1")
    (reply,) = next(engine.run([[FREE]])).replies
    assert reply == Completion("A", "stop", 7, 1)
    _, body, _ = server.calls[0]
    assert (body["temperature"], body["top_p"], body["max_tokens"], body["stop"]) == (0.7, 0.9, 16, ["x"])


def test_anthropic_gives_text_and_keeps_the_system_message_apart(server: Server) -> None:
    engine = open_engine(f"anthropic:judge@{server.address}")
    (reply,) = next(engine.run([[FREE]])).replies
    assert reply == Completion("B.", "stop", 5, 2)
    path, body, _ = server.calls[0]
    assert path.endswith("/v1/messages")
    assert body["system"] == "Be brief."
    assert (body["temperature"], body["top_p"]) == (0.7, 0.9)
    assert all(message["role"] != "system" for message in body["messages"])


def test_a_judge_that_always_votes_b_is_seen_through(server: Server, tmp_path) -> None:
    engine = open_engine(f"anthropic:judge@{server.address}")
    match = Match("m", "Which?", Answer("one", "p", "x", "first", "stop"), Answer("two", "p", "y", "second", "stop"))
    ledger = Ledger(tmp_path / "ledger.sqlite")
    found = compare(engine, load_pairwise(), [match], ledger, stage="s", progress=Progress(quiet=True), label="l")
    assert found[0].orders == (0.0, 1.0)
    assert found[0].value == 0.5
    assert found[0].consistent is False


def test_a_call_that_fails_for_good_is_a_failure_without_secrets(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openai, "RETRIES", 0)
    monkeypatch.setenv(remote.OTHER_KEY, SECRET)
    server.failures, server.status = 99, 401
    (reply,) = next(open_engine(f"openai:judge@{server.address}/v1").run([[CHOICE]])).replies
    assert reply == Failed("AuthenticationError (HTTP 401)")
    sent = {name.lower(): value for name, value in server.calls[0][2].items()}
    assert SECRET in sent["authorization"]


def test_the_sdk_retries_a_passing_failure(server: Server) -> None:
    server.failures = 1
    (reply,) = next(open_engine(f"openai:judge@{server.address}/v1").run([[CHOICE]])).replies
    assert isinstance(reply, Completion)
    assert len(server.calls) == 2


def test_the_providers_key_is_not_sent_to_another_address(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    monkeypatch.setenv("ANTHROPIC_API_KEY", SECRET)
    monkeypatch.delenv(remote.OTHER_KEY, raising=False)
    next(open_engine(f"openai:judge@{server.address}/v1").run([[CHOICE]]))
    next(open_engine(f"anthropic:judge@{server.address}").run([[FREE]]))
    for _, body, headers in server.calls:
        assert SECRET not in json.dumps([body, headers])


@pytest.mark.parametrize(
    ("engine", "variable"), [(openai.OpenAIEngine, "OPENAI_API_KEY"), (anthropic.AnthropicEngine, "ANTHROPIC_API_KEY")]
)
def test_a_missing_key_is_said_at_once(engine: Any, variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(variable, raising=False)
    with pytest.raises(UsageError, match=variable):
        engine("some-model", None)


def test_servers_do_not_continue_a_given_beginning(server: Server) -> None:
    engine = open_engine(f"openai:judge@{server.address}/v1")
    with pytest.raises(EngineError, match="beginning"):
        engine.plan([Request((Message("user", "x"),), prefill="Score: ")])
