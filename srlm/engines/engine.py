"""The engine protocol: the interface of every inference backend.

An engine first plans: it splits the requests into batches from the requests alone. Then it runs the batches that are
not in the ledger. The plan does not depend on what is already answered, so a resumed run computes the same batches as
an uninterrupted one.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from srlm.prices import Price
from srlm.types import Reply, Request

OnProgress = Callable[[], None]


def no_progress() -> None:
    """Ignore progress."""


@dataclass(frozen=True)
class BatchResult:
    """The replies of one batch, one a request.

    `seconds` is the wall time of the batch, waits between attempts included. `failed_attempts` has the reason of each
    attempt that failed, also of calls that succeeded later. `more_ready` is true when the next result is available
    already, so that both can be committed together. `identity` is set where a server refused a part of the request
    and so answered a changed one; see `srlm.engines.capabilities`.
    """

    batch: int
    replies: list[Reply]
    seconds: float
    failed_attempts: tuple[str, ...] = ()
    more_ready: bool = False
    identity: str | None = None


class Engine(Protocol):
    """A model that answers requests."""

    name: str
    """Display name: "M2", "openai:gpt-4o"."""
    identity: str
    """Digest of the weights, or the provider's name and address; part of every ledger key."""
    price: Price | None
    """Price of its calls; None if unknown."""

    def plan(self, requests: Sequence[Request]) -> list[list[int]]:
        """Split requests into batches of indices, each index once. Depends on the requests alone."""
        ...

    def run(self, batches: Sequence[Sequence[Request]], on_progress: OnProgress) -> Iterator[BatchResult]:
        """Answer batches; yield each result when it is ready.

        `on_progress` is called once for each answered request, also within a batch.
        """
        ...

    def close(self) -> None:
        """Free the memory or the connections of the engine."""
        ...
