"""The messages protocol: request bodies, and choices as votes in text."""

from typing import Any

import pytest

pytest.importorskip("openai")
pytest.importorskip("anthropic")
from helpers.remote_engines import FREE, opened
from helpers.servers import Server
from srlm.console import Progress
from srlm.inference import Caller
from srlm.judges.pairwise import Match, compare, load_pairwise
from srlm.ledger import Ledger
from srlm.types import Answer, Completion


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
