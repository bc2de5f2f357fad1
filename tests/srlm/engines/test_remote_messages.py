"""Errors that every call would meet end the command at once, with one message."""

from dataclasses import replace
from typing import Any

import pytest

pytest.importorskip("openai")
pytest.importorskip("anthropic")
from helpers.remote_engines import CHOICE, CLIENT, PROTOCOLS, SECRET, calls, opened
from helpers.servers import Odd, Server, serving
from srlm.engines import remote
from srlm.engines.client_config import ClientConfig
from srlm.engines.open import open_engine
from srlm.errors import EngineError


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


@pytest.mark.parametrize(
    ("status", "data", "headers", "words"),
    [
        (429, {"error": {"message": "used up", "code": "insufficient_quota"}}, (), "no credit left"),
        (402, {"error": {"message": "Insufficient Balance"}}, (), "no credit left"),
        (400, {"error": {"message": "Your credit balance is too low"}}, (), "no credit left"),
        (429, {"error": {"message": "slow"}}, (("Retry-After", "86400"),), "asks to wait 24 hours .*slow"),
        (503, {}, (("Retry-After", "400000"),), "asks to wait 5 days"),
        (403, b"<html><title>Attention</title></html>", (), r"in front of .*an HTML page \(Attention\)"),
        (401, {"error": {"message": "who are you"}}, (), "refuses the key .*who are you"),
        (404, {"error": {"message": "gone"}}, (), "has no model 'm'.*gone"),
        (
            400,
            {"error": {"message": "The model `m` does not exist", "code": "model_not_found"}},
            (),
            "has no model 'm'",
        ),
    ],
)
def test_what_will_not_pass_ends_at_once(status: int, data: Any, headers: Any, words: str) -> None:
    with serving(odd=lambda body: Odd(data, status, headers)) as server:
        client = ClientConfig(max_connections=1, timeout=60.0)
        with pytest.raises(EngineError, match=words):
            list(open_engine(server.spec("openai", "m"), client=client).run([[CHOICE]] * 5, lambda: None))
        assert len(server.log) == 1
