"""What engines behind a server share: batches of one, a bounded number of calls in flight, failures without secrets."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace
from typing import Any

from srlm.engines.engine import Done, Tick
from srlm.errors import EngineError, UsageError
from srlm.types import Completion, Failed, Request

IN_FLIGHT = 16
TIMEOUT_SECONDS = 120.0
RETRIES = 4

OTHER_KEY = "SRLM_API_KEY"
"""The key for an address of the user's own. The provider's key is never sent anywhere but to the provider."""


def api_key(variable: str, address: str | None, model: str) -> str:
    """The key for a provider, or for a server at `address`, which may need none.

    Raises:
        UsageError: the provider's key is not set.
    """
    if address:
        return os.environ.get(OTHER_KEY, "none")
    key = os.environ.get(variable, "")
    if not key:
        raise UsageError(
            f"{model} needs a key: set the environment variable {variable}. Without one, use a local model "
            "(--judge smollm2, or a folder), or a server of your own (openai:NAME@http://HOST:PORT/v1)."
        )
    return key


def without_credentials(address: str) -> str:
    """An address as it may be written down: "http://user:password@host/v1" -> "http://host/v1"."""
    scheme, slashes, rest = address.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{slashes}{host.rpartition('@')[2]}{slash}{path}"


def plan_singly(requests: Sequence[Request], name: str) -> list[list[int]]:
    """One call a batch, so that each answer is committed as it comes.

    Raises:
        EngineError: a request begins the assistant's turn, which servers do not offer alike.
    """
    if any(request.prefill for request in requests):
        raise EngineError(
            f"{name} cannot go on from a given beginning of an answer. Use a local model for instruction writing "
            "and for scoring = expected."
        )
    return [[index] for index in range(len(requests))]


def run_in_threads(
    call: Callable[[Request], Completion], batches: Sequence[Sequence[Request]], tick: Tick
) -> Iterator[Done]:
    """Run calls side by side, yielding each as it ends."""

    def guarded(number: int, request: Request) -> Done:
        began = time.perf_counter()
        try:
            reply = call(request)
            # Half of a surrogate pair is no text: it could not be written into any file.
            safe = replace(reply, text=reply.text.encode("utf-8", "replace").decode())
            return Done(number, [safe], time.perf_counter() - began)
        # Whatever the SDK raises is a failed call. Its text may quote the key, its type does not.
        except Exception as error:
            status = getattr(error, "status_code", None)
            reason = f"{type(error).__name__}{f' (HTTP {status})' if status else ''}"
            return Done(number, [Failed(reason)], time.perf_counter() - began, (reason,))

    pool = ThreadPoolExecutor(IN_FLIGHT)
    try:
        futures = [pool.submit(guarded, number, batch[0]) for number, batch in enumerate(batches)]
        for future in as_completed(futures):
            tick()
            yield future.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def as_messages(request: Request) -> list[Any]:
    """The messages as both SDKs take them."""
    return [{"role": message.role, "content": message.content} for message in request.messages]
