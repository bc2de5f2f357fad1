"""Names and addresses of servers: parsing, credentials, proxies."""

import pytest

pytest.importorskip("openai")
pytest.importorskip("anthropic")

from helpers.servers import serving
from srlm.engines.open import is_remote, open_engine, public_name
from srlm.engines.server_address import is_private, proxy_for, split_name, without_credentials
from srlm.errors import UsageError
from srlm.types import Message, Request

REQUEST = Request((Message("user", "A or B?"),), choices=("A", "B"))


@pytest.mark.parametrize(
    ("rest", "parts"),
    [
        ("gpt-4o", ("gpt-4o", None)),
        ("claude-3-5-sonnet@20240620", ("claude-3-5-sonnet@20240620", None)),
        ("gemini@default", ("gemini@default", None)),
        ("google/gemini@001@http://127.0.0.1:1/v1", ("google/gemini@001", "http://127.0.0.1:1/v1")),
        ("x@HTTP://host/v1", ("x", "http://host/v1")),
        ("x@http://user:pw@host/v1", ("x", "http://user:pw@host/v1")),
        ("judge@localhost:8000/v1", ("judge", "localhost:8000/v1")),
        ("judge@ftp://u:p@host", ("judge", "ftp://u:p@host")),
        ("@cf/meta/llama", ("@cf/meta/llama", None)),
        ("@cf/meta/llama@https://host/v1", ("@cf/meta/llama", "https://host/v1")),
    ],
)
def test_the_last_at_before_http_begins_the_address(rest: str, parts: tuple[str, str | None]) -> None:
    assert split_name(rest) == parts


def test_what_is_remote() -> None:
    assert is_remote("vllm:x@http://h/v1")
    assert not is_remote("vllm:folder@2")
    assert public_name("anthropic:claude@20240620") == "anthropic:claude@20240620"
    assert public_name("openai:g@1@http://u:p@h/v1?key=s&api-version=2") == "openai:g@1@http://h/v1?api-version=2"


@pytest.mark.parametrize(
    "address",
    [
        "http://user:p/w-SECRET@host/v1",
        "http://user:12/w-SECRET@host/v1",
        "http://[::1/v1?key=SECRET",
        "http://host:99999/v1?key=SECRET",
        "http://host:/v1?key=SECRET",
        "http://host:0/?key=SECRET",
        "http://ho st/v1?key=SECRET",
        "http://host/v1\r\nX-Key: SECRET",
        "http://host\x00/v1?key=SECRET",
        "http://user:SECRET@/v1",
        "http:///v1?key=SECRET",
        "ftp://user:SECRET@host",
        "user:SECRET@host:80/v1",
    ],
)
@pytest.mark.parametrize("kind", ["openai", "anthropic"])
def test_a_malformed_address_is_refused_without_being_shown(kind: str, address: str) -> None:
    with pytest.raises(UsageError, match=r"address of \w+:m ") as raised:
        open_engine(f"{kind}:m@{address}")
    assert "SECRET" not in str(raised.value)
    assert "user" not in str(raised.value)


@pytest.mark.parametrize("spec", ["openai:", "openai:@http://host/v1", "anthropic: "])
def test_a_name_is_needed(spec: str) -> None:
    with pytest.raises(UsageError, match="names no model"):
        open_engine(spec)


@pytest.mark.parametrize(
    "name", ["key", "api_key", "api-key", "token", "access_token", "sig", "X-Amz-Signature", "code"]
)
def test_a_secret_in_a_query_is_sent_and_not_shown(name: str) -> None:
    with serving() as server:
        spec = f"openai:m@{server.address}/deploy/v1?api-version=2024-10-21&{name}=SECRET"
        engine = open_engine(spec)
        list(engine.run([[REQUEST]], lambda: None))
    assert server.log[0].path == f"/deploy/v1/chat/completions?api-version=2024-10-21&{name}=SECRET"
    assert "SECRET" not in engine.identity + engine.name + public_name(spec)
    assert engine.identity.endswith("/deploy/v1?api-version=2024-10-21")


def test_too_little_is_shown_rather_than_too_much() -> None:
    assert without_credentials("http://user:p/w@host/v1") == "http://host/v1"
    assert without_credentials("http://host/v1#key=x") == "http://host/v1"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "a.localhost"])
def test_this_machine_is_reached_directly(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example:1")
    monkeypatch.setenv("all_proxy", "socks://127.0.0.1:7897/")
    assert proxy_for(f"http://{host}:8000/v1") is None


def test_a_call_to_this_machine_takes_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("all_proxy", "socks://127.0.0.1:7897/")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with serving() as server:
        list(open_engine(server.spec("openai", "m")).run([[REQUEST]], lambda: None))
    assert len(server.log) == 1


@pytest.mark.parametrize("proxy", ["socks://127.0.0.1:7897/", "socks5h://h:1", "ftp://h", "http://h:port", "http://"])
def test_a_proxy_that_cannot_be_used_is_named(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    monkeypatch.setenv("all_proxy", proxy)
    with pytest.raises(UsageError, match="ALL_PROXY"):
        list(open_engine("openai:m@http://judge.example/v1").run([[REQUEST]], lambda: None))
    monkeypatch.setenv("no_proxy", "judge.example")
    assert proxy_for("http://judge.example/v1") is None


def test_a_proxy_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving() as proxy:
        monkeypatch.setenv("http_proxy", proxy.address)
        list(open_engine("openai:m@http://judge.example/v1").run([[REQUEST]], lambda: None))
    assert proxy.log[0].path == "http://judge.example/v1/chat/completions"


@pytest.mark.parametrize(
    ("address", "private"),
    [
        ("http://127.0.0.1:1", True),
        ("http://10.1.2.3", True),
        ("http://[fd00::1]:1/v1", True),
        ("http://gpu7:8000/v1", True),
        ("http://judge.local/v1", True),
        ("http://8.8.8.8/v1", False),
        ("http://judge.example/v1", False),
    ],
)
def test_what_is_private(address: str, private: bool) -> None:
    assert is_private(address) is private


# --- what ends a command at once --------------------------------------------------------------------------------------
