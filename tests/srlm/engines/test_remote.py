"""Remote engines against a local HTTP server that speaks both protocols: requests, keys, addresses."""

import json
from typing import Any

import pytest

pytest.importorskip("openai")
pytest.importorskip("anthropic")

from helpers.remote_engines import CHOICE, FREE, SECRET, opened
from helpers.servers import Server, serving
from srlm.engines import anthropic, openai, remote
from srlm.engines.client_config import ClientConfig
from srlm.engines.open import open_engine
from srlm.errors import EngineError, UsageError
from srlm.types import Message, Request

# --- what is sent and read --------------------------------------------------------------------------------------------


def test_the_providers_own_servers_are_asked_in_their_own_way(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.setenv(variable, SECRET)
    own = open_engine("openai:gpt-4o-mini"), open_engine("anthropic:claude")
    assert [engine.identity for engine in own] == ["openai:gpt-4o-mini@openai", "anthropic:claude@anthropic"]
    bodies = [engine._body(FREE) for engine in own]  # type: ignore[attr-defined]
    assert bodies[0]["max_completion_tokens"] == 16
    assert "temperature" not in bodies[1]  # Anthropic's models choose for themselves


def test_an_address_from_the_environment_is_not_followed(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the ledger would name the provider for answers of another server."""
    for variable in ("OPENAI_BASE_URL", "ANTHROPIC_BASE_URL"):
        monkeypatch.setenv(variable, server.address)
    for variable in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.setenv(variable, SECRET)
    for spec, home in (("openai:x", "https://api.openai.com/v1"), ("anthropic:x", "https://api.anthropic.com")):
        client = open_engine(spec).connect()  # type: ignore[attr-defined]
        assert str(client.base_url).rstrip("/") == home


def test_servers_do_not_continue_a_given_beginning(server: Server) -> None:
    with pytest.raises(EngineError, match="beginning"):
        opened(server).plan([Request((Message("user", "x"),), prefill="Score: ")])


# --- faults -----------------------------------------------------------------------------------------------------------


# --- traffic ----------------------------------------------------------------------------------------------------------


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


def test_a_key_without_encryption_is_warned_of_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SRLM_API_KEY", "sk-SECRET-0123456789")
    said: list[str] = []
    client = ClientConfig(warn=said.append)
    for _ in range(2):
        for place in ("http://judge.example/v1", "https://judge.example/v1", "http://10.0.0.1/v1"):
            open_engine(f"openai:m@{place}", client=client).connect()  # type: ignore[attr-defined]
    assert len(said) == 1
    assert "judge.example is sent without encryption" in said[0]
    assert "SECRET" not in said[0]


def test_what_is_set_for_the_provider_is_not_sent_to_other_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "org-SECRET")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-SECRET")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Custom: cust-SECRET")
    monkeypatch.setenv("ANTHROPIC_CUSTOM_HEADERS", "X-Custom: cust-SECRET")
    with serving() as server:
        for protocol in ("openai", "anthropic"):
            list(open_engine(server.spec(protocol, "m")).run([[CHOICE]], lambda: None))
        assert len(server.log) == 2
        assert "SECRET" not in str([attempt.headers for attempt in server.log])
    monkeypatch.setenv("OPENAI_API_KEY", "sk-mine")
    assert open_engine("openai:m").connect().organization == "org-SECRET"  # type: ignore[attr-defined]
