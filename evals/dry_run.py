"""What a command would ask, found by doing all of it without one call.

The suites run as they are, in a folder that is thrown away. An engine in it answers with what the ledger holds,
and else with a stand-in of full length; what it had to make up are the calls that are still to be made.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from evals.model import Contestant
from srlm.engines.budget import estimate_prompt_tokens, max_prompt_tokens
from srlm.engines.engine import BatchResult, Engine, OnProgress, no_progress
from srlm.engines.remote import RemoteEngine
from srlm.inference import find_stored, load_capabilities
from srlm.ledger import Ledger
from srlm.prices import FREE, Price
from srlm.runs import Run
from srlm.types import Completion, Request

WORD = "say "
"""What stand-ins are made of: about a token."""


@dataclass
class Expected:
    """The calls of one model that are still to be made.

    `likely` and `most` are prompt tokens; `completion_tokens` is what the answers have when each is as long as it may
    be. Calls that fail and are repeated are not in it.
    """

    model: str
    price: Price | None
    calls: int = 0
    likely: int = 0
    most: int = 0
    completion_tokens: int = 0

    def dollars(self, prompt_tokens: int) -> float | None:
        """What it costs; None when nobody knows the price."""
        return self.price.of(Completion("", "length", prompt_tokens, self.completion_tokens)) if self.price else None

    def sentence(self) -> str:
        """One line for people."""
        sizes = f"about {self.likely:,} tokens to read and at most {self.completion_tokens:,} to write"
        about, most = self.dollars(self.likely), self.dollars(self.most)
        if about is None or most is None:
            cost = "the price is unknown"
        else:
            cost = "free" if self.price == FREE else f"about ${about:.4f}, at most ${most:.4f}"
        return f"{self.model}: {self.calls:,} calls to make, {sizes}: {cost}."


class StandIn:
    """An engine in a rehearsal: it is called and planned like the real one, and asks nobody."""

    def __init__(self, engine: Engine, ledger: Ledger, expected: Expected) -> None:
        self.name, self.identity, self.price = engine.name, engine.identity, engine.price
        self._engine, self._ledger, self._expected = engine, ledger, expected
        load_capabilities(engine, ledger)
        # Two models answer differently: a judge that compares them is asked in both orders, and for each pair anew.
        self._mark = f"{sha256(engine.identity.encode()).hexdigest()[:7]} "

    def plan(self, requests: Sequence[Request]) -> list[list[int]]:
        """As a server's engine does, so that what that refuses is refused here; a local one's batches cost nothing."""
        if isinstance(self._engine, RemoteEngine):
            return self._engine.plan(requests)
        return [[index] for index in range(len(requests))]

    def run(self, batches: Sequence[Sequence[Request]], on_progress: OnProgress = no_progress) -> Iterator[BatchResult]:
        """What the ledger holds, or a stand-in."""
        for number, batch in enumerate(batches):
            yield BatchResult(number, [self._reply(request) for request in batch], 0.0)

    def close(self) -> None:
        """Close the engine that it stands for."""
        self._engine.close()

    def _reply(self, request: Request) -> Completion:
        stored = find_stored(self._engine, self._ledger, request)
        if stored is not None:
            return stored[1]
        tokens = 1 if request.choices else request.sampling.max_tokens
        if isinstance(self._engine, RemoteEngine):
            tokens = self._engine.max_output_tokens(request)
        self._expected.calls += 1
        self._expected.likely += estimate_prompt_tokens(request)
        self._expected.most += max_prompt_tokens(request)
        self._expected.completion_tokens += tokens
        even = tuple(1 / len(request.choices) for _ in request.choices)
        text = (self._mark + WORD * tokens)[: len(WORD) * tokens]
        return Completion(text, "length", 0, 0, even or None)


@dataclass
class Rehearsal:
    """A folder to write to, a ledger to read from, and what was made up so far."""

    run: Run
    ledger: Ledger
    expected: dict[str, Expected] = field(default_factory=dict)
    engines: dict[str, Engine] = field(default_factory=dict)

    def play(self, contestant: Contestant) -> Contestant:
        """A model whose engines are stand-ins."""

        def open_it() -> Engine:
            engine = contestant.open()
            self.engines[engine.identity] = engine
            expected = self.expected.setdefault(engine.identity, Expected(engine.name, engine.price))
            return StandIn(engine, self.ledger, expected)

        return Contestant(contestant.name, open_it)

    def require_keys(self) -> None:
        """Refuse calls that could not be made, before other models have worked for an hour.

        Raises:
            UsageError: a model has calls to make, and there is no key for them.
        """
        for identity, engine in self.engines.items():
            if isinstance(engine, RemoteEngine) and self.expected[identity].calls:
                engine.key  # noqa: B018 -- it is looked for here


@contextmanager
def rehearsing(ledger: Ledger | None) -> Iterator[Rehearsal]:
    """A rehearsal, without a ledger where none was begun yet; its folder is gone afterwards."""
    with TemporaryDirectory(prefix="srlm-") as folder:
        run = Run(Path(folder) / "rehearsal")
        try:
            yield Rehearsal(run, ledger or run.ledger)
        finally:
            run.close()


def estimate(expected: Iterable[Expected]) -> list[str]:
    """Lines for people: the calls that are left by model, and their sum where several have a price."""
    left = [one for one in expected if one.calls]
    if not left:
        return ["Nothing is left to ask: every answer is in the ledger."]
    paid = [one for one in left if one.price not in {None, FREE}]
    lines = [one.sentence() for one in left]
    if len(paid) > 1:
        about = sum(one.dollars(one.likely) or 0.0 for one in paid)
        most = sum(one.dollars(one.most) or 0.0 for one in paid)
        lines.append(f"Together about ${about:.4f}, at most ${most:.4f}.")
    return lines
