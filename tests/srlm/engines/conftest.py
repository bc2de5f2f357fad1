"""What the tests of remote engines share."""

from collections.abc import Iterator

import pytest

from helpers.servers import Server, serving

PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the proxies of the machine that runs the tests."""
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server() -> Iterator[Server]:
    """A local HTTP server that speaks both protocols."""
    with serving() as running:
        yield running
