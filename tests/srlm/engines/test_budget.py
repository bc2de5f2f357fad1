"""The budget of a command is never exceeded, however the server behaves."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srlm.engines.api_errors import RequestError
from srlm.engines.budget import Budget, estimate_prompt_tokens, max_cost, max_prompt_tokens, require_price
from srlm.engines.capabilities import FULL, Capabilities
from srlm.engines.client_config import ClientConfig
from srlm.engines.engine import BatchResult
from srlm.engines.request_pool import send_all
from srlm.errors import BudgetSpent, UsageError
from srlm.prices import Price
from srlm.types import Completion, Failed, Message, Request, Sampling

PRICE = Price(3.0, 15.0)


@pytest.fixture(autouse=True, scope="module")
def at_once() -> Iterator[None]:
    """Start all workers at once, which is the harder case."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("srlm.engines.request_pool.START_STAGGER_S", 0.0)
        yield


def request(text: str, tokens: int = 10) -> Request:
    return Request((Message("user", text),), Sampling(0.7, 0.9, tokens))


class Refused(Exception):
    """A reply with an error status."""

    def __init__(self, status: int) -> None:
        self.status_code, self.response = status, SimpleNamespace(headers={})


class Broken(Exception):
    """A connection that broke, perhaps after the server had done its work."""


class Shop:
    """A server that bills every answer, also of calls that break on the way back. The SDK is a stand-in."""

    name = "openai:shop"
    price = PRICE
    capabilities = FULL
    secrets: tuple[str, ...] = ()
    sdk = SimpleNamespace(
        APIStatusError=Refused,
        APITimeoutError=TimeoutError,
        APIConnectionError=Broken,
        APIResponseValidationError=ValueError,
    )

    def __init__(self, budget: Budget, max_connections: int, seed: int, faults: float = 0.3) -> None:
        self.budget, self.draw, self.faults, self.billed = budget, Random(seed), faults, 0.0
        self.highest = 0.0
        self.client_config = ClientConfig(max_connections, timeout=20.0, initial_backoff=0.0001, max_backoff=0.0005)

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[None]:
        yield

    def max_output_tokens(self, request: Request, capabilities: Capabilities) -> int:
        return request.sampling.max_tokens

    def fatal_error_message(self, error: RequestError) -> str | None:
        return None

    def adapt(self, error: RequestError, request: Request, capabilities: Capabilities) -> None:
        return None

    def update_capabilities(self, capabilities: Capabilities) -> None:
        pass

    def identity_for(self, request: Request, capabilities: Capabilities) -> str:
        return self.name

    async def call(self, client: Any, request: Request, capabilities: Capabilities) -> Completion:
        await asyncio.sleep(self.draw.random() * 0.001)
        fate = self.draw.random()
        if fate < self.faults / 2:
            raise Refused(529)
        read = self.draw.randint(1, max_prompt_tokens(request))
        written = self.draw.randint(1, request.sampling.max_tokens)
        answer = Completion("x", "stop", read, written)
        self.billed += self.price.of(answer)
        if fate < self.faults:
            raise Broken
        return answer


def buy(shop: Shop, requests: list[Request]) -> tuple[list[BatchResult], BudgetSpent | None]:
    done = []
    try:
        for one in send_all(shop, [[each] for each in requests], lambda: None):  # type: ignore[arg-type]
            done.append(one)
    except BudgetSpent as error:
        return done, error
    return done, None


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.tuples(st.integers(0, 400), st.integers(1, 300)), min_size=1, max_size=25),
    limit=st.floats(0.0, 0.1),
    max_connections=st.integers(1, 8),
    seed=st.integers(0, 1000),
)
def test_the_limit_is_never_passed(sizes: list[tuple[int, int]], limit: float, max_connections: int, seed: int) -> None:
    shop = Shop(Budget(limit), max_connections, seed)
    requests = [request("ü" * length, tokens) for length, tokens in sizes]
    done, error = buy(shop, requests)
    assert shop.billed <= limit + 1e-9
    assert shop.billed <= shop.budget.spent + 1e-9
    assert shop.budget.idle
    answered = [one for one in done if isinstance(one.replies[0], Completion)]
    if error is None:
        assert len(answered) == len(requests)
    else:
        assert len(answered) < len(requests)
        # It did not stop early: the next call might really have been one too many.
        dearest = max(max_cost(one, PRICE, one.sampling.max_tokens) for one in requests)
        assert shop.budget.spent + dearest > limit
        assert f"{len(answered)} of this step" in str(error)


def test_all_is_answered_when_it_fits() -> None:
    requests = [request("hello", 5)] * 20
    enough = 3 * sum(max_cost(one, PRICE, 5) for one in requests)
    shop = Shop(Budget(enough), 4, 0, faults=0.0)
    done, error = buy(shop, requests)
    assert (len(done), error) == (20, None)
    assert shop.budget.spent == pytest.approx(shop.billed)


def test_calls_wait_for_pending_ones_before_the_command_gives_up() -> None:
    """Room for one call at its dearest: they go one by one, each frees what it did not need."""
    each = max_cost(request("hello", 1000), PRICE, 1000)
    shop = Shop(Budget(1.01 * each), 8, 0, faults=0.0)
    shop.draw.randint = lambda low, high: low  # type: ignore[method-assign,assignment]
    done, error = buy(shop, [request("hello", 1000)] * 8)
    assert (len(done), error) == (8, None)


def test_nothing_is_asked_when_the_first_call_does_not_fit() -> None:
    shop = Shop(Budget(0.0), 4, 0, faults=0.0)
    done, error = buy(shop, [request("hello")] * 4)
    assert done == []
    assert shop.billed == 0.0
    assert error is not None
    assert "--max-cost 0 is reached: $0.0000 are spent" in str(error)


def test_a_call_that_broke_counts_with_the_most_that_it_can_cost() -> None:
    price = max_cost(request("hello"), PRICE, 10)
    budget = Budget(2.5 * price)
    shop = Shop(budget, 1, 0, faults=1.0)
    shop.draw.random = lambda: 0.6  # type: ignore[method-assign]  # always breaks on the way back
    done, error = buy(shop, [request("hello")])
    assert error is not None
    assert budget.spent == pytest.approx(2 * price)
    assert [one.failed_attempts for one in done] == [("connection broken",) * 2]
    assert done[0].replies == [Failed("connection broken")]


def test_a_call_that_was_refused_costs_nothing() -> None:
    budget = Budget(1.0)
    shop = Shop(budget, 1, 0, faults=1.0)
    fates = iter([0.0, 0.2, 0.0, 0.2, 0.0, 1.0])
    shop.draw.random = lambda: next(fates, 1.0)  # type: ignore[method-assign]
    done, _ = buy(shop, [request("hello")])
    assert done[0].failed_attempts == ("HTTP 529", "HTTP 529")
    assert budget.spent == pytest.approx(shop.billed)


@given(st.text())
def test_the_bound_holds_for_any_text(text: str) -> None:
    bound = max_prompt_tokens(request(text))
    assert bound >= len(text.encode("utf-8", "replace")) + 16
    assert estimate_prompt_tokens(request(text)) <= bound


def test_an_unknown_price_refuses_a_limit() -> None:
    with pytest.raises(UsageError, match=r"price of openai:mine is unknown.*--estimate"):
        require_price("openai:mine", None)
    require_price("openai:known", PRICE)
