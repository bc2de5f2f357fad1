"""A pool of concurrent API requests, each retried until it is answered or the timeout has passed.

The pool runs an event loop in a thread of its own, because the thread that reads the results writes the ledger; results
pass through a queue. Workers share one list of batches, so memory does not grow with the number of calls.

Its constants were measured with tools/bench_remote.py. The SDKs allocate many objects a call and hardly any reference
cycles, so garbage is collected less often (a tenth of the CPU time). Results are read in windows of 50 ms: one
wake-up and one commit for all of them. Workers start a few milliseconds apart, because calls that start together on a
steady server end together, and then each waits for the work of all.

Where an engine allows more connections than the usual number, and the user has not set it, the pool begins with that
number, and every call that is answered soon lets one more worker begin: a server on a GPU is full after a few seconds,
and calls to a slow one do not wait for each other until they time out.
"""

import asyncio
import gc
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import replace
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Protocol

from srlm.console import duration
from srlm.engines.api_errors import MALFORMED, RequestError, classify_error
from srlm.engines.budget import Budget, max_cost
from srlm.engines.capabilities import Capabilities
from srlm.engines.client_config import DEFAULT_MAX_CONNECTIONS, MAX_TIMEOUT_S, ClientConfig
from srlm.engines.engine import BatchResult, OnProgress
from srlm.errors import BudgetSpent, EngineError, EngineFailed, SrlmError
from srlm.prices import Price, cost_of
from srlm.types import Completion, Failed, Reply, Request

if TYPE_CHECKING:
    from tenacity import RetryCallState

BATCH_WINDOW_S = 0.05
"""Time in which results are collected before they are read together."""

GC_THRESHOLD = 20_000
"""Allocations between two garbage collections."""

SHUTDOWN_TIMEOUT_S = 5.0
"""Time for connections to close; after it they are left to the end of the process."""

START_STAGGER_S = 0.003
"""Delay between the first calls of two workers."""

SOON = 0.25
"""Share of the time of an attempt in which a call is answered soon."""

SILENCE_WARNING_S = 10.0
"""Time without an answer after which the user is warned."""


class PooledEngine(Protocol):
    """The members of an engine that the pool uses; see `srlm.engines.remote.RemoteEngine`."""

    name: str
    price: Price | None
    capabilities: Capabilities
    client_config: ClientConfig
    budget: Budget | None

    @property
    def max_connections(self) -> int:
        """Return the number of concurrent calls, if the user has not set it."""
        ...

    @property
    def sdk(self) -> Any:
        """Import and return the SDK's module."""
        ...

    @property
    def secrets(self) -> list[str]:
        """Return the strings that no message may contain."""
        ...

    def connect(self) -> AbstractAsyncContextManager[Any]:
        """Open the SDK's client for the running event loop."""
        ...

    async def call(self, client: Any, request: Request, capabilities: Capabilities) -> Completion:
        """Make one attempt of one call."""
        ...

    def max_output_tokens(self, request: Request, capabilities: Capabilities | None = None) -> int:
        """Return the most tokens that the answer can have."""
        ...

    def adapt(self, error: RequestError, request: Request, capabilities: Capabilities) -> Capabilities | None:
        """Return the capabilities without the field that the server refused; None if it named none."""
        ...

    def update_capabilities(self, capabilities: Capabilities) -> None:
        """Adopt capabilities that led to an answer."""
        ...

    def identity_for(self, request: Request, capabilities: Capabilities | None = None) -> str:
        """Return the identity under which the ledger stores the answer."""
        ...

    def fatal_error_message(self, error: RequestError) -> str | None:
        """Return the message for an error that every call would meet; None for other errors."""
        ...

    def wrong_protocol_message(self, error: RequestError) -> str:
        """Return the message for a server of another protocol."""
        ...


def send_all(
    engine: PooledEngine, batches: Sequence[Sequence[Request]], on_progress: OnProgress
) -> Iterator[BatchResult]:
    """Send the calls and yield each result when it is complete. Closing the iterator cancels pending calls.

    Raises:
        EngineError: the server would refuse every call.
        EngineFailed: the server does not answer.
        BudgetSpent: the next call could cost too much.
    """
    pool = RequestPool(engine, batches)
    thread = threading.Thread(target=pool.run, name=f"srlm calls {engine.name}", daemon=True)
    thread.start()
    try:
        while (result := pool.next()) is not None:
            if isinstance(result, BaseException):
                raise result
            on_progress()
            yield replace(result, more_ready=not pool.results.empty())
    finally:
        pool.stop()
        thread.join(timeout=SHUTDOWN_TIMEOUT_S)


class RequestPool:
    """The concurrent calls of one `run`.

    `results` receives the results, then the error that ended the run, if there was one, then None.
    """

    def __init__(self, engine: PooledEngine, batches: Sequence[Sequence[Request]]) -> None:
        self.results: SimpleQueue[BatchResult | BaseException | None] = SimpleQueue()
        self._engine, self._config = engine, engine.client_config
        self._pending = iter(enumerate(batches))
        self._workers = min(self._config.max_connections or engine.max_connections, len(batches))
        self._first_workers = self._workers if self._config.max_connections else DEFAULT_MAX_CONNECTIONS
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._stopped, self._ended = threading.Event(), threading.Event()
        self._answered = 0
        self._refusal: BudgetSpent | None = None
        self._last_failure = "no reply came within that time"
        self._timeout = min(self._config.timeout, MAX_TIMEOUT_S)

    def run(self) -> None:
        """Run the event loop until all calls have ended; the target of the pool's thread."""
        threshold = gc.get_threshold()
        gc.set_threshold(GC_THRESHOLD, *threshold[1:])
        try:
            asyncio.run(self._run_workers())
        except asyncio.CancelledError:
            pass  # `stop` was called
        except BaseException as error:  # raised again in the thread that reads the results
            self.results.put(error)
        finally:
            gc.set_threshold(*threshold)
        self.results.put(None)
        self._ended.set()

    def next(self) -> BatchResult | BaseException | None:
        """Return the next result. After an idle wait, results are first collected: a wake-up interrupts the loop."""
        if self.results.empty():
            first = self.results.get()
            if first is None:
                return None
            self._ended.wait(BATCH_WINDOW_S)
            return first
        return self.results.get()

    def stop(self) -> None:
        """Cancel all calls; may be called from any thread and at any time."""
        self._stopped.set()
        if self._loop is not None and self._task is not None:
            with suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._task.cancel)

    async def _run_workers(self) -> None:
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        if self._stopped.is_set():
            return
        self._budget_freed, self._more = asyncio.Event(), asyncio.Semaphore(0)
        async with self._engine.connect() as client:
            workers = [asyncio.create_task(self._work(client, number)) for number in range(self._workers)]
            try:
                self._answered_at = self._loop.time()
                async with asyncio.timeout(self._timeout) as self._silence:
                    await asyncio.gather(*workers)
            except TimeoutError:
                raise EngineFailed(
                    f"{self._engine.name} answered nothing for {duration(self._timeout)}; the last failure: "
                    f"{self._last_failure}. Completed calls are kept ({self._answered} of this step). Run "
                    "the same command again to resume once the server answers."
                ) from None
            finally:
                for worker in workers:
                    worker.cancel()
                await asyncio.gather(*workers, return_exceptions=True)

    async def _work(self, client: Any, worker: int) -> None:
        if worker < self._first_workers:
            await asyncio.sleep(worker * START_STAGGER_S)
        else:
            await self._more.acquire()
        for number, batch in self._pending:
            began = time.perf_counter()
            failures: list[str] = []
            try:
                reply, identity = await self._answer(client, batch[0], failures)
            except BaseException:
                if failures:  # the attempts were made, so they are counted
                    seconds = time.perf_counter() - began
                    self.results.put(BatchResult(number, [Failed(failures[-1])], seconds, tuple(failures)))
                raise
            seconds = time.perf_counter() - began
            self.results.put(BatchResult(number, [reply], seconds, tuple(failures), identity=identity))
            self._answered += isinstance(reply, Completion)
            if isinstance(reply, Completion) and seconds < SOON * self._config.attempt_timeout:
                self._more.release()
            self._reset_timeout()
        self._more.release()  # nothing is left to begin: the next one that waits ends too

    def _reset_timeout(self) -> None:
        now = asyncio.get_running_loop().time()
        self._answered_at = now
        if not self._silence.expired():
            self._silence.reschedule(now + self._timeout)

    async def _answer(self, client: Any, request: Request, failures: list[str]) -> tuple[Reply, str | None]:
        """Make a call with retries; return its reply and the identity that was asked. Fill `failures`."""
        from tenacity import AsyncRetrying, retry_if_exception

        unusable: list[RequestError] = []
        attempts = AsyncRetrying(
            sleep=asyncio.sleep,
            wait=self._backoff,
            retry=retry_if_exception(
                lambda error: isinstance(error, RequestError) and self._should_retry(error, unusable)
            ),
            reraise=True,
        )
        try:
            return await attempts(self._attempt, client, request, failures)
        except RequestError as error:
            fatal = self._fatal_error(error)
            if fatal is not None:
                raise fatal from None
            return Failed(error.description), None

    def _fatal_error(self, error: RequestError) -> EngineError | None:
        """Return the exception that ends the run, where retries and other calls would fail too; None for others."""
        if (message := self._engine.fatal_error_message(error)) is not None:
            return EngineError(message)
        if error.retry_after >= self._timeout:
            return EngineFailed(
                f"{self._engine.name} asks to wait {_days(error.retry_after)} ({error.description}), longer than "
                f"the timeout of {duration(self._timeout)}. Completed calls are kept; run the same command again "
                "to resume."
            )
        if error.reason == MALFORMED and not self._answered:
            return EngineError(self._engine.wrong_protocol_message(error))
        return None

    def _should_retry(self, error: RequestError, unusable: list[RequestError]) -> bool:
        """Return whether another attempt may succeed in time; `unusable` collects complete but unusable replies."""
        if not error.retryable or error.retry_after >= self._timeout or self._engine.fatal_error_message(error):
            return False
        if error.max_attempts is not None:
            unusable.append(error)
        return error.max_attempts is None or len(unusable) < error.max_attempts

    async def _attempt(self, client: Any, request: Request, failures: list[str]) -> tuple[Completion, str]:
        """Make one attempt; where the server refuses a field by name, call again at once without the field.

        Capabilities are adopted only once they led to an answer: a server's message may name a field by chance.
        """
        capabilities = self._engine.capabilities
        while True:
            try:
                reply = await self._call(client, request, capabilities)
            except RequestError as error:
                adapted = self._engine.adapt(error, request, capabilities)
                if adapted is None:
                    failures.append(error.reason)
                    self._record_failure(error)
                    raise
                capabilities = adapted
            else:
                self._engine.update_capabilities(capabilities)
                return reply, self._engine.identity_for(request, capabilities)

    async def _call(self, client: Any, request: Request, capabilities: Capabilities) -> Completion:
        reserved = await self._reserve(request, capabilities)
        cost = reserved
        try:
            async with asyncio.timeout(self._config.attempt_timeout):
                reply = await self._engine.call(client, request, capabilities)
            price = self._engine.price
            known = cost_of(price, reply) if price else 0.0
            cost = reserved if known is None else known
            return reply
        except SrlmError:
            raise  # a message of the engine to the user
        except Exception as error:
            failure = classify_error(error, self._engine.sdk, self._engine.secrets)
            cost = reserved if failure.billed else 0.0
            raise failure from None
        finally:
            if self._engine.budget is not None:
                self._engine.budget.settle(reserved, cost)
                self._budget_freed.set()

    async def _reserve(self, request: Request, capabilities: Capabilities) -> float:
        """Wait until the call's maximum cost fits into the budget; reserve and return it."""
        budget, price = self._engine.budget, self._engine.price
        if budget is None or price is None:
            return 0.0
        amount = max_cost(request, price, self._engine.max_output_tokens(request, capabilities))
        while self._refusal is None:
            if budget.reserve(amount):
                return amount
            if budget.idle:
                self._refusal = budget.refusal(self._engine.name, amount, self._answered)
            else:
                self._budget_freed.clear()
                await self._budget_freed.wait()
        raise self._refusal  # also of a call that would fit: it would be cancelled, and billed, when the pool stops

    def _backoff(self, state: "RetryCallState") -> float:
        """Return the wait before the next attempt: exponential backoff with full jitter, Retry-After at the least."""
        from tenacity import wait_random_exponential

        backoff = wait_random_exponential(multiplier=self._config.initial_backoff, max=self._config.max_backoff)(state)
        error = state.outcome.exception() if state.outcome else None
        return max(backoff, error.retry_after) if isinstance(error, RequestError) else backoff

    def _record_failure(self, error: RequestError) -> None:
        """Store a failure; warn the user once in each period without an answer."""
        silent = asyncio.get_running_loop().time() - self._answered_at
        self._last_failure = error.description
        if silent > SILENCE_WARNING_S:
            self._answered_at += self._timeout  # no second warning in this period
            self._config.warn(
                f"{self._engine.name} has answered nothing for {duration(silent)} ({error.description}). Retrying "
                f"until {duration(self._timeout)} have passed; completed calls are kept."
            )


def _days(seconds: float) -> str:
    """Format a duration that may be days."""
    hours = seconds / 3600
    return duration(seconds) if hours < 2 else f"{hours:.0f} hours" if hours < 48 else f"{hours / 24:.0f} days"
