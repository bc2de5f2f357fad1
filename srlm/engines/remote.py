"""What engines behind a server share: keys, addresses, batches of one, failures without secrets."""

import os
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from functools import cached_property
from typing import Any, ClassVar
from urllib.parse import urlsplit

from srlm.engines.api_errors import CERTIFICATE, Fault
from srlm.engines.budget import Budget, require_price
from srlm.engines.capabilities import FULL, Capabilities, refusal, sentence
from srlm.engines.completions import Written
from srlm.engines.engine import Done, Tick, no_tick
from srlm.engines.http_body import ENCODINGS, json_of, read_within
from srlm.engines.request_pool import Wire, fly
from srlm.engines.server_address import (
    base_of,
    basic_authorization,
    is_private,
    proxy_of,
    require_address,
    secrets_in,
    without_credentials,
)
from srlm.engines.server_messages import without_secrets
from srlm.errors import EngineError, UsageError
from srlm.optional_deps import require
from srlm.prices import price_of
from srlm.types import Completion, Request

OTHER_KEY = "SRLM_API_KEY"
"""The key for an address of the user's own. The provider's key is never sent anywhere but to the provider."""

NO_KEY = "none"
"""What a server of the user's own is sent where there is no key: the SDKs want one."""

CONNECT_SECONDS = 10.0

VOTE_TOKENS = 8
"""Room for a choice that is made in words: the letter, and what a model may put around it."""

_AZURE = (".azure.com", ".azure.us", ".azure.cn")


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
        if address is not None:
            end = "/v1" if self.provider == "openai" else ""
            require_address(address, self.name, f"{self.name}@http://HOST:PORT{end}")
        self.identity = f"{self.name}@{without_credentials(address) if address else self.provider}"
        self.price = price_of(self.provider, model)
        self.capabilities = FULL
        self.wire, self.budget = wire or Wire(), budget
        if budget is not None:
            require_price(self.name, self.price)

    @cached_property
    def key(self) -> str:
        """What authorises the calls. It is looked for when it is needed: to replay what a ledger holds takes none.

        Raises:
            UsageError: there is none.
        """
        return api_key(self.variable, self.address, self.name)

    @cached_property
    def secrets(self) -> list[str]:
        """What no message, file or log may show: the key, and what the address has of that kind."""
        found = secrets_in(self.address) if self.address else []
        key = os.environ.get(OTHER_KEY if self.address else self.variable, "").strip()
        return [*found, key] if key else found

    @property
    @abstractmethod
    def sdk(self) -> Any:
        """The module of the SDK, which is imported late."""

    @abstractmethod
    def connect(self) -> AbstractAsyncContextManager[Any]:
        """The SDK's client for the running event loop."""

    @abstractmethod
    async def call(self, client: Any, request: Request, able: Capabilities = FULL) -> Completion:
        """One attempt of one call; raises what the SDK raises, or an error of `srlm.engines.http_body`."""

    @abstractmethod
    def longest(self, request: Request, able: Capabilities | None = None) -> int:
        """The most tokens that its answer can have."""

    @abstractmethod
    def fields(self, request: Request) -> Collection[str]:
        """The fields that a request has where nothing is refused, of those that a server may refuse."""

    def asked(self, request: Request, able: Capabilities | None = None) -> str:
        """What was asked, and how: `identity`, and what was left out. Part of the ledger's key."""
        able = self.capabilities if able is None else able
        left = able.changes(self.fields(request)) if able.refused else []
        return f"{self.identity} without {', '.join(left)}" if left else self.identity

    def adapt(self, fault: Fault, request: Request, able: Capabilities) -> Capabilities | None:
        """What a server can be asked that has refused a call; None where it names no field that can be left out."""
        word = refusal(fault.status, fault.body, self._body(request, able).keys(), able)
        return able.plus([word]) if word is not None and able.has(word) else None

    @abstractmethod
    def _body(self, request: Request, able: Capabilities = FULL) -> dict[str, Any]:
        """A request as it is sent to a server that takes these fields."""

    def learn(self, able: Capabilities) -> None:
        """Take over what another call, or an earlier command, found out. The user is told of each field once."""
        new = self.capabilities.plus(able.refused)
        if new is not self.capabilities:
            for word in new.refused[len(self.capabilities.refused) :]:
                self.wire.say_once(f"{self.name} refuses {sentence(word)}.")
            self.capabilities = new

    async def post(self, client: Any, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Ask through the SDK's door for any path: its typed one takes a third of the time of a call."""
        from httpx2 import Response

        return json_of(await client.post(path, body=body, cast_to=Response))

    def own(self, client: Any) -> AbstractAsyncContextManager[Any]:
        """An SDK's client as it is wanted here, over aiohttp: it takes half of the work of httpx for a call.

        Attempts are made and counted in `srlm.engines.request_pool`; the SDK's own would be neither counted nor ended.

        Raises:
            UsageError: there is no key, or a proxy that cannot be used.
        """
        timeout = self.sdk.Timeout(self.wire.timeout, connect=min(CONNECT_SECONDS, self.wire.timeout))
        address, query = base_of(self.address) if self.address else (self.home, {})
        headers = {"Accept-Encoding": ENCODINGS}
        if self.address:
            headers |= basic_authorization(self.address)
            self._warn(address)
            if (urlsplit(address).hostname or "").endswith(_AZURE):
                headers["api-key"] = self.key
        proxy = proxy_of(address)
        # A redirection is not followed: the key would go along, to wherever it leads. So an address without TLS never
        # comes to need it, and certificates, which take a while to read, are not read.
        secure: Any = False
        if address.startswith("https://") or (proxy and proxy[0].startswith("https://")):
            from httpx2 import create_ssl_context

            secure = create_ssl_context()
        made: Any = client(
            api_key=self.key,
            base_url=address,
            max_retries=0,
            timeout=timeout,
            default_headers=headers,
            default_query=query,
            http_client=self.sdk.DefaultAioHttpClient(
                timeout=timeout,
                follow_redirects=False,
                verify=secure,
                trust_env=False,  # the proxy is chosen above; an address of this machine has none
                proxy=proxy[0] if proxy else None,
                event_hooks={"response": [read_within]},
            ),
        )
        if self.address:
            # What the environment sets for the provider, often with a secret, is none of another server's business.
            made._custom_headers = headers
            made.organization = made.project = None
        wrapped: AbstractAsyncContextManager[Any] = made
        return wrapped

    def _warn(self, address: str) -> None:
        """Say that a key travels readable, where that is beyond the user's own network."""
        if address.startswith("http://") and self.secrets and not is_private(address):
            self.wire.say_once(
                f"The key for {urlsplit(address).hostname} is sent without encryption (http://): whoever is on the way "
                "can read it. Use https://, if the server has it."
            )

    def completion(self, written: Written, request: Request, able: Capabilities, **rest: Any) -> Completion:
        """An answer as it is kept: up to a stop string, and without a key that the server repeats in it."""
        if request.sampling.stop and not able.has("stop"):
            written = written.cut_at(request.sampling.stop)
        if rest["prompt_tokens"] == 0 or (rest["completion_tokens"] == 0 and (written.text or written.thoughts)):
            self.wire.say_once(
                f"{self.name} does not say how many tokens its calls take: they count as 0, and their cost is unknown."
            )
        found = Completion(written.text, thoughts=written.thoughts, written=written.written, **rest)
        if any(one in found.text or one in found.thoughts for one in self.secrets):
            whole = None if found.written is None else without_secrets(found.written, self.secrets)
            text, thoughts = (without_secrets(words, self.secrets) for words in (found.text, found.thoughts))
            return Completion(text, thoughts=thoughts, written=whole, **rest)
        return found

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
        """Make calls side by side, each until it is answered; see `srlm.engines.request_pool`."""
        if not batches:
            return iter(())
        return fly(self, batches, tick)

    def close(self) -> None:
        """Nothing is open between runs: the connections end with each."""
        return

    def hopeless(self, fault: Fault) -> str | None:
        """What to tell the user of a failure that every other call would meet alike; None if there is hope."""
        status, words = fault.status, f": {fault.words}" if fault.words else ""
        variable = OTHER_KEY if self.address else self.variable
        where = without_credentials(self.address) if self.address else self.home
        if fault.reason == CERTIFICATE:
            return (
                f"The certificate of {where} cannot be verified, so that nobody knows who answers there. Check the "
                "address; for a certificate of your own, name its authority in the environment variable SSL_CERT_FILE."
            )
        if fault.no_money:
            return (
                f"{self.name} has no money left for these calls (HTTP {status}{words}). Look at the account's balance "
                "and limits. What was answered is kept; the same command goes on from there."
            )
        if status == 401:
            return f"{self.name} refuses the key (HTTP 401{words}). Check the environment variable {variable}."
        if status == 403 and fault.page:
            return (
                f"Something before {where} forbids these calls (HTTP 403{words}), such as a firewall. It says nothing "
                "of the key. Ask whoever runs it, or try from another network."
            )
        if status == 403:
            return (
                f"{self.name} forbids these calls (HTTP 403{words}). Check that the key in the environment variable "
                f"{variable} may use this model."
            )
        if status is not None and 300 <= status < 400:
            return f"{where} sends its callers elsewhere (HTTP {status}). Give the address that it leads to."
        if fault.no_model:
            return f"{where} knows no model {self.model!r}, or is not its address (HTTP {status}{words}). Check both."
        return None

    def another_protocol(self, fault: Fault) -> str:
        """What to tell the user where the first call had a whole reply that is not of the protocol's shape."""
        where = without_credentials(self.address) if self.address else self.home
        end = " It ends with /v1 as a rule." if self.provider == "openai" else " It has no /v1 at its end."
        return (
            f"{where} answers, but not as a server with the protocol {self.provider!r} does: {fault.words}. Check the "
            f"address of {self.name}.{end}"
        )


def api_key(variable: str, address: str | None, model: str) -> str:
    """The key for a provider, or for a server at `address`, which may need none.

    Raises:
        UsageError: the provider's key is not set, or is none.
    """
    variable = OTHER_KEY if address else variable
    key = os.environ.get(variable, NO_KEY if address else "").strip()
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


def by_first_token(request: Request) -> bool:
    """Whether a choice is read off the first token: a model that may think first has thoughts there."""
    return bool(request.choices) and request.sampling.max_tokens <= 1


def as_messages(request: Request) -> list[dict[str, str]]:
    """The messages as both protocols take them."""
    return [{"role": message.role, "content": message.content} for message in request.messages]
