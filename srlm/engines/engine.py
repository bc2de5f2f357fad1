"""The protocol of an engine: what every source of text gives to the rest of srlm.

An engine first plans: it cuts the requests into batches by looking at nothing but the requests. Then it runs those
batches that are not in the ledger. Because the plan does not depend on what is already answered, a resumed run computes
the same batches as one that was never stopped.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from srlm.prices import Price
from srlm.types import Reply, Request

Tick = Callable[[], None]


def no_tick() -> None:
    """For whoever shows no progress."""


@dataclass(frozen=True)
class Done:
    """A batch that was run: one reply a request.

    `seconds` is how long it took, waiting between attempts included. `faults` are the attempts that failed on the way,
    one reason each, those of a call that succeeded in the end too. `followed` says that the next one is there already,
    so that both may be committed at once. `asked` is what was asked in the end, the engine's `identity` unless a server
    refused a part of it; see `srlm.engines.capabilities`.
    """

    batch: int
    replies: list[Reply]
    seconds: float
    faults: tuple[str, ...] = ()
    followed: bool = False
    asked: str | None = None


class Engine(Protocol):
    """A model that answers requests."""

    name: str
    """How people call it: "M2", "openai:gpt-4o"."""
    identity: str
    """What it is: a digest of the weights, or the provider's name and address; part of every ledger key."""
    price: Price | None
    """What its calls cost; None when nobody knows."""

    def plan(self, requests: Sequence[Request]) -> list[list[int]]:
        """Cut requests into batches of indices; each index once. Depends on the requests alone."""
        ...

    def run(self, batches: Sequence[Sequence[Request]], tick: Tick) -> Iterator[Done]:
        """Answer batches, yielding each as it is ready.

        `tick` is called once for each request that is answered, also inside a batch, so that progress can be shown.
        """
        ...

    def close(self) -> None:
        """Free the memory or the connections that it holds."""
        ...
