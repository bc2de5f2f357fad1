"""Calls in flight: a bounded number side by side, each asked again until it is answered, in a thread of their own.

An event loop cannot run in the reader's thread, which has the ledger to write. So the loop has its own, and what lands
goes through a queue. Workers take their calls from one list: memory does not grow with the number of calls.
"""

import asyncio
import gc
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from srlm.console import duration
from srlm.engines.api_errors import MALFORMED, Fault, fault_of
from srlm.engines.budget import most
from srlm.engines.capabilities import Capabilities
from srlm.engines.engine import Done, Tick
from srlm.errors import BudgetSpent, EngineError, EngineFailed, SrlmError
from srlm.prices import cost_of
from srlm.types import Completion, Failed, Reply, Request

if TYPE_CHECKING:
    from tenacity import RetryCallState

    from srlm.engines.remote import RemoteEngine

IN_FLIGHT = 16
DEADLINE = 300.0
PATIENCE = 0.4
"""The share of the deadline that one attempt may take: so that another one can follow, and be told from silence."""

GATHER = 0.05
"""Seconds in which replies gather before they are read: together they are committed in one go."""

SELDOM = 20_000
"""Objects between two searches for garbage. The SDKs make many for a call, and hardly any in circles: at Python's own
number, the searches take a tenth of the work."""

FAREWELL = 5.0
"""Seconds in which the connections may end before they are left to the end of the process."""

STAGGER = 0.003
"""Seconds from one worker's first call to the next one's. Calls that begin together end together on a steady server,
and then each waits for the work on all of them."""

QUIET = 10.0
"""Seconds without an answer after which the user is told why."""

LONGEST_TIMEOUT = 86_400.0
"""Seconds of one attempt, however long the deadline is: an endless one is no number for the libraries below."""

LONGEST_DEADLINE = 100 * LONGEST_TIMEOUT


@dataclass(frozen=True)
class Wire:
    """How calls travel.

    `in_flight` calls are made side by side. When none was answered for `deadline` seconds, the command stops. Waits
    between attempts of one call begin around `first_wait` and double up to `longest_wait`, or to what the server asks
    for. `say` is told when a server is silent. `told` is what `say_once` has said.
    """

    in_flight: int = IN_FLIGHT
    deadline: float = DEADLINE
    first_wait: float = 0.5
    longest_wait: float = 30.0
    say: Callable[[str], None] = lambda words: None
    told: set[str] = field(default_factory=set, compare=False, repr=False)

    @property
    def timeout(self) -> float:
        """Seconds that one attempt may take."""
        return min(PATIENCE * self.deadline, LONGEST_TIMEOUT)

    def say_once(self, words: str) -> None:
        """Tell the user something that one command needs to say no more than once."""
        if words not in self.told:
            self.told.add(words)
            self.say(words)


def fly(engine: "RemoteEngine", batches: Sequence[Sequence[Request]], tick: Tick) -> Iterator[Done]:
    """Make the calls, yielding each as it ends. When the reader goes, those in flight are dropped.

    Raises:
        EngineError: the server would refuse every call.
        EngineFailed: the server does not answer.
        BudgetSpent: the next call could cost too much.
    """
    flight = Flight(engine, batches)
    thread = threading.Thread(target=flight.run, name=f"srlm calls {engine.name}", daemon=True)
    thread.start()
    try:
        while (landed := flight.next()) is not None:
            if isinstance(landed, BaseException):
                raise landed
            tick()
            yield replace(landed, followed=not flight.landed.empty())
    finally:
        flight.stop()
        thread.join(timeout=FAREWELL)


class Flight:
    """The calls of one `run`. `landed` gives what ended, then the error that stopped it, if one did, then None."""

    def __init__(self, engine: "RemoteEngine", batches: Sequence[Sequence[Request]]) -> None:
        self.landed: SimpleQueue[Done | BaseException | None] = SimpleQueue()
        self._engine, self._wire = engine, engine.wire
        self._todo = iter(enumerate(batches))
        self._workers = min(engine.wire.in_flight, len(batches))
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._stopped, self._ended = threading.Event(), threading.Event()
        self._kept = 0
        self._refusal: BudgetSpent | None = None
        self._last_fault = "no reply came within that time"
        self._deadline = min(engine.wire.deadline, LONGEST_DEADLINE)

    def run(self) -> None:
        """Everything, in the thread of the loop."""
        collected = gc.get_threshold()
        gc.set_threshold(SELDOM, *collected[1:])
        try:
            asyncio.run(self._fly())
        except asyncio.CancelledError:
            pass  # the reader has gone
        except BaseException as error:  # it belongs to the reader, whose thread raises it again
            self.landed.put(error)
        finally:
            gc.set_threshold(*collected)
        self.landed.put(None)
        self._ended.set()

    def next(self) -> Done | BaseException | None:
        """What landed next. Where nothing has, a few are let come together: each wake costs the loop its turn."""
        if self.landed.empty():
            first = self.landed.get()
            if first is None:
                return None
            self._ended.wait(GATHER)
            return first
        return self.landed.get()

    def stop(self) -> None:
        """End it, from any thread, however far it is."""
        self._stopped.set()
        if self._loop is not None and self._task is not None:
            with suppress(RuntimeError):  # the loop has ended by itself
                self._loop.call_soon_threadsafe(self._task.cancel)

    async def _fly(self) -> None:
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        if self._stopped.is_set():
            return
        self._freed = asyncio.Event()
        async with self._engine.connect() as client:
            workers = [asyncio.create_task(self._work(client, place * STAGGER)) for place in range(self._workers)]
            try:
                self._answered_at = self._loop.time()
                async with asyncio.timeout(self._deadline) as self._silence:
                    await asyncio.gather(*workers)
            except TimeoutError:
                raise EngineFailed(
                    f"{self._engine.name} answered nothing for {duration(self._deadline)}; the last failure: "
                    f"{self._last_fault}. What was answered is kept ({self._kept} calls of this step among it). Once "
                    "the server answers again, the same command goes on from there."
                ) from None
            finally:
                for worker in workers:
                    worker.cancel()
                await asyncio.gather(*workers, return_exceptions=True)

    async def _work(self, client: Any, after: float) -> None:
        await asyncio.sleep(after)
        for number, batch in self._todo:
            began = time.perf_counter()
            faults: list[str] = []
            try:
                reply, asked = await self._answer(client, batch[0], faults)
            except BaseException:
                if faults:  # its attempts were made, so they are counted
                    self.landed.put(Done(number, [Failed(faults[-1])], time.perf_counter() - began, tuple(faults)))
                raise
            done = Done(number, [reply], time.perf_counter() - began, tuple(faults), asked=asked)
            self.landed.put(done)
            self._kept += isinstance(reply, Completion)
            self._be_patient()

    def _be_patient(self) -> None:
        """The server is alive: its deadline begins anew."""
        now = asyncio.get_running_loop().time()
        self._answered_at = now
        if not self._silence.expired():
            self._silence.reschedule(now + self._deadline)

    async def _answer(self, client: Any, request: Request, faults: list[str]) -> tuple[Reply, str | None]:
        """A call's reply, and what was asked in the end; every attempt that failed is added to `faults`."""
        from tenacity import AsyncRetrying, retry_if_exception

        useless: list[Fault] = []
        again = AsyncRetrying(
            sleep=asyncio.sleep,
            wait=self._wait,
            retry=retry_if_exception(lambda error: isinstance(error, Fault) and self._may_pass(error, useless)),
            reraise=True,
        )
        try:
            return await again(self._attempt, client, request, faults)
        except Fault as fault:
            error = self._fatal(fault)
            if error is not None:
                raise error from None
            return Failed(fault.told), None

    def _fatal(self, fault: Fault) -> EngineError | None:
        """The error that ends all calls, where asking again, or the other calls, would only cost time."""
        if (hopeless := self._engine.hopeless(fault)) is not None:
            return EngineError(hopeless)
        if fault.wait >= self._deadline:
            return EngineFailed(
                f"{self._engine.name} wants to be left alone for {_long(fault.wait)} ({fault.told}), longer than "
                f"the deadline of {duration(self._deadline)}. What was answered is kept; the same command goes on from "
                "there."
            )
        if fault.reason == MALFORMED and not self._kept:
            return EngineError(self._engine.another_protocol(fault))
        return None

    def _may_pass(self, fault: Fault, useless: list[Fault]) -> bool:
        """Whether another attempt of the call may succeed in time; `useless` are the whole replies of no use so far."""
        if not fault.again or fault.wait >= self._deadline or self._engine.hopeless(fault):
            return False
        if fault.tries is not None:
            useless.append(fault)
        return fault.tries is None or len(useless) < fault.tries

    async def _attempt(self, client: Any, request: Request, faults: list[str]) -> tuple[Completion, str]:
        """One attempt; where the server refuses a field by name, the call is made again at once without it.

        Only what has led to an answer is learned: a server's words may name a field by chance.
        """
        able = self._engine.capabilities
        while True:
            try:
                reply = await self._call(client, request, able)
            except Fault as fault:
                adapted = self._engine.adapt(fault, request, able)
                if adapted is None:
                    faults.append(fault.reason)
                    self._note(fault)
                    raise
                able = adapted
            else:
                self._engine.learn(able)
                return reply, self._engine.asked(request, able)

    async def _call(self, client: Any, request: Request, able: Capabilities) -> Completion:
        reserved = await self._reserve(request, able)
        cost = reserved
        try:
            async with asyncio.timeout(self._wire.timeout):
                reply = await self._engine.call(client, request, able)
            price = self._engine.price
            known = cost_of(price, reply) if price else 0.0
            cost = reserved if known is None else known
            return reply
        except SrlmError:
            raise  # an engine's own words to the user
        except Exception as error:
            fault = fault_of(error, self._engine.sdk, self._engine.secrets)
            cost = reserved if fault.paid else 0.0
            raise fault from None
        finally:
            if self._engine.budget is not None:
                self._engine.budget.settle(reserved, cost)
                self._freed.set()

    async def _reserve(self, request: Request, able: Capabilities) -> float:
        """Wait until the call fits into what may be spent, and set that much aside."""
        budget, price = self._engine.budget, self._engine.price
        if budget is None or price is None:
            return 0.0
        amount = most(request, price, self._engine.longest(request, able))
        while self._refusal is None:
            if budget.reserve(amount):
                return amount
            if budget.idle:
                self._refusal = budget.refusal(self._engine.name, amount, self._kept)
            else:
                self._freed.clear()
                await self._freed.wait()
        raise self._refusal  # also of a call that would fit: it would be dropped, and paid, when the flight ends

    def _wait(self, state: "RetryCallState") -> float:
        """What the server asks for, and never less than backoff with full jitter."""
        from tenacity import wait_random_exponential

        backoff = wait_random_exponential(multiplier=self._wire.first_wait, max=self._wire.longest_wait)(state)
        fault = state.outcome.exception() if state.outcome else None
        return max(backoff, fault.wait) if isinstance(fault, Fault) else backoff

    def _note(self, fault: Fault) -> None:
        """Remember a fault, and tell the user of it, once, when the server has been silent for a while."""
        silent = asyncio.get_running_loop().time() - self._answered_at
        self._last_fault = fault.told
        if silent > QUIET:
            self._answered_at += self._deadline  # told; not again in this silence
            self._wire.say(
                f"{self._engine.name} has answered nothing for {duration(silent)} ({fault.told}). Asking again until "
                f"{duration(self._deadline)} have passed; what was answered is kept."
            )


def _long(seconds: float) -> str:
    """A time that may be days, for people."""
    hours = seconds / 3600
    return duration(seconds) if hours < 2 else f"{hours:.0f} hours" if hours < 48 else f"{hours / 24:.0f} days"
