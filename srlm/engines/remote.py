"""Base class of engines behind a server: keys, addresses, one request a batch, and no secret in any message."""

import os
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from functools import cached_property
from typing import Any, ClassVar
from urllib.parse import urlsplit

from srlm.engines import remote_messages
from srlm.engines.api_errors import RequestError
from srlm.engines.budget import Budget, require_price
from srlm.engines.capabilities import FULL, Capabilities, describe_refusal, refused_field
from srlm.engines.client_config import DEFAULT_MAX_CONNECTIONS, ClientConfig
from srlm.engines.completions import ReplyText
from srlm.engines.engine import BatchResult, OnProgress, no_progress
from srlm.engines.http_body import ENCODINGS, parse_json, read_limited
from srlm.engines.request_pool import send_all
from srlm.engines.server_address import (
    basic_authorization,
    is_private,
    proxy_for,
    require_address,
    secrets_in,
    split_query,
    without_credentials,
)
from srlm.errors import EngineError, UsageError
from srlm.optional_deps import require
from srlm.prices import price_of
from srlm.redact import hide_secrets
from srlm.types import Completion, Request

SERVER_KEY_VARIABLE = "SRLM_API_KEY"
"""Environment variable of the key for self-hosted servers. A provider's key is sent only to the provider."""

PLACEHOLDER_KEY = "none"
"""Key for self-hosted servers without one: the SDKs require a key."""

CONNECT_TIMEOUT_S = 10.0

VOTE_TOKENS = 8
"""Token limit of a choice that is answered in text: the letter and a few tokens around it."""

_AZURE = (".azure.com", ".azure.us", ".azure.cn")


class RemoteEngine(ABC):
    """A model behind a server. `provider` names its protocol, its SDK and its price list."""

    provider: ClassVar[str]
    key_variable: ClassVar[str]
    default_url: ClassVar[str]
    max_connections: ClassVar[int] = DEFAULT_MAX_CONNECTIONS

    def __init__(
        self, model: str, address: str | None, client: ClientConfig | None = None, budget: Budget | None = None
    ) -> None:
        """Check the settings; no call is made.

        Args:
            model: its name on the server.
            address: of a self-hosted server; the provider's, if None.
            client: connections, timeouts and backoff.
            budget: what the calls may cost.

        Raises:
            MissingDependency: the SDK is not installed.
            UsageError: the address is malformed, or there is a budget and no known price.
        """
        require(self.provider, f"A model behind the protocol of {self.provider}", "api")
        require("aiohttp", "Calling a server", "api")
        require("tenacity", "Retrying failed calls to a server", "api")
        self.name = f"{self.provider}:{model}"
        self.model, self.address = model, address
        if address is not None:
            end = "/v1" if self.provider == "openai" else ""
            require_address(address, self.name, f"{self.name}@http://HOST:PORT{end}")
        self.identity = f"{self.name}@{without_credentials(address) if address else self.provider}"
        self.price = price_of(self.provider, model)
        self.capabilities = FULL
        self.client_config, self.budget = client or ClientConfig(), budget
        if budget is not None:
            require_price(self.name, self.price)

    @cached_property
    def key(self) -> str:
        """Return the API key. It is read when it is needed: calls that the ledger answers take none.

        Raises:
            UsageError: the key is not set.
        """
        return api_key(self.key_variable, self.address, self.name)

    @cached_property
    def secrets(self) -> list[str]:
        """Return what no message, file or log may contain: the key, and credentials of the address."""
        found = secrets_in(self.address) if self.address else []
        key = os.environ.get(self._used_key_variable, "").strip()
        return [*found, key] if key else found

    @property
    def _used_key_variable(self) -> str:
        return SERVER_KEY_VARIABLE if self.address else self.key_variable

    @property
    def _server(self) -> str:
        """Return the server's address as messages show it."""
        return without_credentials(self.address) if self.address else self.default_url

    @property
    @abstractmethod
    def sdk(self) -> Any:
        """Import and return the SDK's module."""

    @abstractmethod
    def connect(self) -> AbstractAsyncContextManager[Any]:
        """Open the SDK's client for the running event loop."""

    @abstractmethod
    async def call(self, client: Any, request: Request, capabilities: Capabilities = FULL) -> Completion:
        """Make one attempt of one call.

        Raises:
            Exception: an error of the SDK, or of `srlm.engines.http_body`.
        """

    @abstractmethod
    def max_output_tokens(self, request: Request, capabilities: Capabilities | None = None) -> int:
        """Return the most tokens that the answer can have."""

    @abstractmethod
    def optional_fields(self, request: Request) -> Collection[str]:
        """Return the fields of a request to a server that refuses nothing, as far as servers refuse them."""

    def identity_for(self, request: Request, capabilities: Capabilities | None = None) -> str:
        """Return `identity` with the fields that are left out of the request; part of the ledger's key."""
        capabilities = self.capabilities if capabilities is None else capabilities
        changed = capabilities.changed_fields(self.optional_fields(request)) if capabilities.refused else []
        return f"{self.identity} without {', '.join(changed)}" if changed else self.identity

    def adapt(self, error: RequestError, request: Request, capabilities: Capabilities) -> Capabilities | None:
        """Return the capabilities without the field that the server refused; None if it named none."""
        field = refused_field(error.status, error.body, self._body(request, capabilities).keys(), capabilities)
        return capabilities.refusing([field]) if field is not None and capabilities.accepts(field) else None

    @abstractmethod
    def _body(self, request: Request, capabilities: Capabilities = FULL) -> dict[str, Any]:
        """Return the body of a request, without the fields that the server refuses."""

    def update_capabilities(self, capabilities: Capabilities) -> None:
        """Adopt the capabilities found by another call or an earlier command. Warn of each refused field once."""
        new = self.capabilities.refusing(capabilities.refused)
        if new is not self.capabilities:
            for field in new.refused[len(self.capabilities.refused) :]:
                self.client_config.warn_once(f"{self.name} refuses {describe_refusal(field)}.")
            self.capabilities = new

    async def post(self, client: Any, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Post to any path through the SDK. Its typed methods would take a third of a call's time."""
        from httpx2 import Response

        return parse_json(await client.post(path, body=body, cast_to=Response))

    def configure_client(self, client: Any) -> AbstractAsyncContextManager[Any]:
        """Create an SDK client over aiohttp, which takes half of httpx's CPU time a call.

        Retries are made and counted in `srlm.engines.request_pool`; the SDK's own would be neither counted nor bounded.

        Raises:
            UsageError: there is no key, or a proxy that cannot be used.
        """
        attempt = self.client_config.attempt_timeout
        timeout = self.sdk.Timeout(attempt, connect=min(CONNECT_TIMEOUT_S, attempt))
        address, query = split_query(self.address) if self.address else (self.default_url, {})
        headers = {"Accept-Encoding": ENCODINGS}
        if self.address:
            headers |= basic_authorization(self.address)
            self._warn_of_plain_http(address)
            if (urlsplit(address).hostname or "").endswith(_AZURE):
                headers["api-key"] = self.key
        proxy = proxy_for(address)
        # Redirects are not followed: the key would be sent along. So an address without TLS never needs certificates,
        # and these, which are slow to read, are read only for https.
        verify: Any = False
        if address.startswith("https://") or (proxy and proxy[0].startswith("https://")):
            from httpx2 import create_ssl_context

            verify = create_ssl_context()
        created: Any = client(
            api_key=self.key,
            base_url=address,
            max_retries=0,
            timeout=timeout,
            default_headers=headers,
            default_query=query,
            http_client=self.sdk.DefaultAioHttpClient(
                timeout=timeout,
                follow_redirects=False,
                verify=verify,
                trust_env=False,  # the proxy is chosen above; loopback addresses have none
                proxy=proxy[0] if proxy else None,
                event_hooks={"response": [read_limited]},
            ),
        )
        if self.address:
            # Headers, organization and project that the environment sets for the provider, often with a secret, are
            # not sent to other servers.
            created._custom_headers = headers
            created.organization = created.project = None
        typed: AbstractAsyncContextManager[Any] = created
        return typed

    def _warn_of_plain_http(self, address: str) -> None:
        """Warn of a key that is sent unencrypted beyond the user's own network."""
        if address.startswith("http://") and self.secrets and not is_private(address):
            self.client_config.warn_once(
                f"The key for {urlsplit(address).hostname} is sent without encryption (http://), so others on the "
                "network can read it. Use https://, if the server has it."
            )

    def completion(self, reply: ReplyText, request: Request, capabilities: Capabilities, **rest: Any) -> Completion:
        """Build the completion: truncated at a stop string, and without a key that the server repeated."""
        if request.sampling.stop and not capabilities.accepts("stop"):
            reply = reply.truncated_at(request.sampling.stop)
        if rest["prompt_tokens"] == 0 or (rest["completion_tokens"] == 0 and (reply.text or reply.thoughts)):
            self.client_config.warn_once(
                f"{self.name} reports no token counts: its calls count as 0 tokens, and their cost is unknown."
            )
        found = Completion(reply.text, thoughts=reply.thoughts, written=reply.written, **rest)
        if any(one in found.text or one in found.thoughts for one in self.secrets):
            whole = None if found.written is None else hide_secrets(found.written, self.secrets)
            text, thoughts = (hide_secrets(words, self.secrets) for words in (found.text, found.thoughts))
            return Completion(text, thoughts=thoughts, written=whole, **rest)
        return found

    def plan(self, requests: Sequence[Request]) -> list[list[int]]:
        """Plan one request a batch, so that each answer is committed when it arrives.

        Raises:
            EngineError: a request has a prefill, which servers do not support alike.
        """
        if any(request.prefill for request in requests):
            raise EngineError(
                f"{self.name} cannot continue a given beginning of an answer. Use a local model for instruction "
                "writing and for scoring = expected."
            )
        return [[index] for index in range(len(requests))]

    def run(self, batches: Sequence[Sequence[Request]], on_progress: OnProgress = no_progress) -> Iterator[BatchResult]:
        """Make calls concurrently, each with retries; see `srlm.engines.request_pool`."""
        if not batches:
            return iter(())
        return send_all(self, batches, on_progress)

    def close(self) -> None:
        """Do nothing: connections are closed at the end of each `run`."""
        return

    def fatal_error_message(self, error: RequestError) -> str | None:
        """Return the message for an error that every call would meet; None for other errors."""
        return remote_messages.fatal_error_message(
            error, name=self.name, model=self.model, server=self._server, key_variable=self._used_key_variable
        )

    def wrong_protocol_message(self, error: RequestError) -> str:
        """Return the message for a first reply that is complete but not of the protocol's shape."""
        return remote_messages.wrong_protocol_message(
            error, name=self.name, provider=self.provider, server=self._server
        )


def api_key(variable: str, address: str | None, model: str) -> str:
    """Read the key of a provider, or of the server at `address`, which may need none.

    Raises:
        UsageError: the provider's key is not set, or is malformed.
    """
    variable = SERVER_KEY_VARIABLE if address else variable
    key = os.environ.get(variable, PLACEHOLDER_KEY if address else "").strip()
    if not key:
        raise UsageError(
            f"{model} needs a key: set the environment variable {variable}. Without one, use a local model "
            "(--judge smollm2, or a folder), or a self-hosted server (openai:NAME@http://HOST:PORT/v1)."
        )
    if not key.isascii() or not key.isprintable():
        raise UsageError(
            f"The environment variable {variable} holds no valid key: it has characters that no key has. Set it again."
        )
    return key


def reads_first_token(request: Request) -> bool:
    """Return whether a choice is read off the first token, as opposed to text after reasoning."""
    return bool(request.choices) and request.sampling.max_tokens <= 1


def as_messages(request: Request) -> list[dict[str, str]]:
    """Convert messages to the JSON of both protocols."""
    return [{"role": message.role, "content": message.content} for message in request.messages]
