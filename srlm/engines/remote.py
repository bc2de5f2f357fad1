"""What engines behind a server share: keys, addresses, batches of one, failures without secrets."""

import os
from abc import ABC, abstractmethod
from base64 import b64encode
from collections.abc import Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from functools import cached_property
from typing import Any, ClassVar
from urllib.parse import unquote

from srlm.engines.budget import Budget, require_price
from srlm.engines.engine import Done, Tick, no_tick
from srlm.engines.flight import Wire, fly
from srlm.errors import EngineError, UsageError
from srlm.optional import require
from srlm.prices import price_of
from srlm.types import Completion, Request

OTHER_KEY = "SRLM_API_KEY"
"""The key for an address of the user's own. The provider's key is never sent anywhere but to the provider."""

CONNECT_SECONDS = 10.0


class RemoteEngine(ABC):
    """A model behind a server. `provider` is the name of its protocol, its SDK, and of who has the list price."""

    provider: ClassVar[str]
    variable: ClassVar[str]
    home: ClassVar[str]

    def __init__(self, model: str, address: str | None, wire: Wire | None = None, budget: Budget | None = None) -> None:
        """Make ready, without a call yet.

        Args:
            model: its name on the server.
            address: of a server of the user's own; the provider's, if None.
            wire: how calls travel.
            budget: what they may cost.

        Raises:
            MissingDependency: the SDK is not installed.
            UsageError: no usable address, or a budget and no known price.
        """
        require(self.provider, f"A model behind the protocol of {self.provider}", "api")
        require("aiohttp", "Asking a server", "api")
        require("tenacity", "Asking a server again after a failure", "api")
        self.name = f"{self.provider}:{model}"
        self.model, self.address = model, address
        self.identity = f"{self.name}@{without_credentials(address) if address else self.provider}"
        self.price = price_of(self.provider, model)
        self.wire, self.budget = wire or Wire(), budget
        if budget is not None:
            require_price(self.name, self.price)
        if address and not address.startswith(("http://", "https://")):
            raise UsageError(
                f"The address of {self.name} begins with neither http:// nor https://. "
                f"Write it as {self.name}@http://HOST:PORT{'/v1' if self.provider == 'openai' else ''}"
            )

    @cached_property
    def key(self) -> str:
        """What authorises the calls. It is looked for when it is needed: to replay what a ledger holds takes none.

        Raises:
            UsageError: there is none.
        """
        return api_key(self.variable, self.address, self.name)

    @property
    @abstractmethod
    def sdk(self) -> Any:
        """The module of the SDK, which is imported late."""

    @abstractmethod
    def connect(self) -> AbstractAsyncContextManager[Any]:
        """The SDK's client for the running event loop."""

    @abstractmethod
    async def call(self, client: Any, request: Request) -> Completion:
        """One attempt of one call; raises what the SDK raises, or pydantic's error for a reply of another shape."""

    @abstractmethod
    def longest(self, request: Request) -> int:
        """The most tokens that its answer can have."""

    def own(self, client: Any) -> AbstractAsyncContextManager[Any]:
        """An SDK's client as it is wanted here, over aiohttp: it takes half of the work of httpx for a call.

        Attempts are made and counted in `srlm.engines.flight`; the SDK's own would be neither counted nor ended.
        """
        timeout = self.sdk.Timeout(self.wire.timeout, connect=min(CONNECT_SECONDS, self.wire.timeout))
        address, headers = self.address or self.home, {}
        if self.address:
            address, headers = without_credentials(self.address), basic_authorization(self.address)
        # A redirection is not followed: the key would go along, to wherever it leads. So an address without TLS never
        # comes to need it, and certificates, which take a while to read, are not read.
        secure = not address.startswith("http://")
        made: AbstractAsyncContextManager[Any] = client(
            api_key=self.key,
            base_url=address,
            max_retries=0,
            timeout=timeout,
            default_headers=headers,
            http_client=self.sdk.DefaultAioHttpClient(timeout=timeout, follow_redirects=False, verify=secure),
        )
        return made

    def plan(self, requests: Sequence[Request]) -> list[list[int]]:
        """One call a batch, so that each answer is committed as it comes.

        Raises:
            EngineError: a request begins the assistant's turn, which servers do not offer alike.
        """
        if any(request.prefill for request in requests):
            raise EngineError(
                f"{self.name} cannot go on from a given beginning of an answer. Use a local model for instruction "
                "writing and for scoring = expected."
            )
        return [[index] for index in range(len(requests))]

    def run(self, batches: Sequence[Sequence[Request]], tick: Tick = no_tick) -> Iterator[Done]:
        """Make calls side by side, each until it is answered; see `srlm.engines.flight`."""
        if not batches:
            return iter(())
        return fly(self, batches, tick)

    def close(self) -> None:
        """Nothing is open between runs: the connections end with each."""
        return

    def hopeless(self, status: int | None) -> str | None:
        """What to tell the user of a status that every other call would meet alike; None if there is hope."""
        variable = OTHER_KEY if self.address else self.variable
        where = without_credentials(self.address) if self.address else self.home
        if status == 401:
            return f"{self.name} refuses the key (HTTP 401). Check the environment variable {variable}."
        if status == 403:
            return (
                f"{self.name} forbids these calls (HTTP 403). Check that the key in the environment variable "
                f"{variable} may use this model."
            )
        if status is not None and 300 <= status < 400:
            return f"{where} sends its callers elsewhere (HTTP {status}). Give the address that it leads to."
        if status == 404:
            return f"{where} knows no model {self.model!r}, or is not its address (HTTP 404). Check both."
        return None


def api_key(variable: str, address: str | None, model: str) -> str:
    """The key for a provider, or for a server at `address`, which may need none.

    Raises:
        UsageError: the provider's key is not set, or is none.
    """
    variable = OTHER_KEY if address else variable
    key = os.environ.get(variable, "none" if address else "").strip()
    if not key:
        raise UsageError(
            f"{model} needs a key: set the environment variable {variable}. Without one, use a local model "
            "(--judge smollm2, or a folder), or a server of your own (openai:NAME@http://HOST:PORT/v1)."
        )
    if not key.isascii() or not key.isprintable():
        raise UsageError(
            f"What the environment variable {variable} holds is no key: it has characters that no key has."
        )
    return key


def without_credentials(address: str) -> str:
    """An address as it may be written down: "http://user:password@host/v1" -> "http://host/v1"."""
    scheme, slashes, rest = address.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{slashes}{host.rpartition('@')[2]}{slash}{path}"


def basic_authorization(address: str) -> dict[str, str]:
    """The header that stands for the credentials in an address, if it has any."""
    host = address.partition("://")[2].partition("/")[0]
    credentials = unquote(host.rpartition("@")[0])
    return {"Authorization": f"Basic {b64encode(credentials.encode()).decode()}"} if credentials else {}


def as_messages(request: Request) -> list[dict[str, str]]:
    """The messages as both protocols take them."""
    return [{"role": message.role, "content": message.content} for message in request.messages]


def as_text(text: str) -> str:
    """What a server sent, as text that can be written to any file: half of a surrogate pair becomes "?"."""
    return text.encode("utf-8", "replace").decode()
