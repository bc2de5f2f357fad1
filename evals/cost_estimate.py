"""Dry run: counts the calls that a command would make, to estimate tokens and cost.

The suites run as they are, in a temporary folder. An engine returns what the ledger holds, and else a placeholder of
full length; the placeholders are the calls that are still to be made.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from evals.model import EvalModel
from srlm.engines.budget import estimate_prompt_tokens, max_prompt_tokens
from srlm.engines.engine import BatchResult, Engine, OnProgress, no_progress
from srlm.engines.remote import RemoteEngine
from srlm.inference import find_stored, load_capabilities
from srlm.judges.combination import Combination
from srlm.ledger import Ledger
from srlm.prices import FREE, Price
from srlm.rewards.source import RewardSource, reply_of
from srlm.runs import Run
from srlm.types import Completion, Request

WORD = "say "
"""Unit of a placeholder: about a token."""


@dataclass
class PendingCalls:
    """The calls of one model that are still to be made.

    `likely` and `most` are prompt tokens; `completion_tokens` is the length of the answers when each is as long as it
    may be. Left out: calls that fail and are repeated.
    """

    model: str
    price: Price | None
    calls: int = 0
    likely: int = 0
    most: int = 0
    completion_tokens: int = 0

    def dollars(self, prompt_tokens: int) -> float | None:
        """Compute the cost; None where the price is unknown."""
        return self.price.of(Completion("", "length", prompt_tokens, self.completion_tokens)) if self.price else None

    def sentence(self) -> str:
        """Return one line for people."""
        sizes = f"about {self.likely:,} tokens to read and at most {self.completion_tokens:,} to write"
        about, most = self.dollars(self.likely), self.dollars(self.most)
        if about is None or most is None:
            cost = "the price is unknown"
        else:
            cost = "free" if self.price == FREE else f"about ${about:.4f}, at most ${most:.4f}"
        return f"{self.model}: {self.calls:,} calls to make, {sizes}: {cost}."


class DryRunEngine:
    """An engine that counts requests instead of sending them."""

    def __init__(self, engine: Engine, ledger: Ledger, pending: PendingCalls) -> None:
        self.name, self.identity, self.price = engine.name, engine.identity, engine.price
        self._engine, self._ledger, self._pending = engine, ledger, pending
        load_capabilities(engine, ledger)
        # Two models answer differently: a judge that compares them is asked in both orders, and for each pair anew.
        self._mark = f"{sha256(engine.identity.encode()).hexdigest()[:7]} "

    def plan(self, requests: Sequence[Request]) -> list[list[int]]:
        """Plan as a server's engine does, to refuse what it refuses; for a local one, a batch for each request."""
        if isinstance(self._engine, RemoteEngine):
            return self._engine.plan(requests)
        return [[index] for index in range(len(requests))]

    def run(self, batches: Sequence[Sequence[Request]], on_progress: OnProgress = no_progress) -> Iterator[BatchResult]:
        """Yield the ledger's answers, or placeholders."""
        for number, batch in enumerate(batches):
            yield BatchResult(number, [self._reply(request) for request in batch], 0.0)

    def close(self) -> None:
        """Close the wrapped engine."""
        self._engine.close()

    def _reply(self, request: Request) -> Completion:
        stored = find_stored(self._engine, self._ledger, request)
        if stored is not None:
            return stored[1]
        tokens = 1 if request.choices else request.sampling.max_tokens
        if isinstance(self._engine, RemoteEngine):
            tokens = self._engine.max_output_tokens(request)
        self._pending.calls += 1
        self._pending.likely += estimate_prompt_tokens(request)
        self._pending.most += max_prompt_tokens(request)
        self._pending.completion_tokens += tokens
        even = tuple(1 / len(request.choices) for _ in request.choices)
        text = (self._mark + WORD * tokens)[: len(WORD) * tokens]
        return Completion(text, "length", 0, 0, even or None)


class DryRunSource(DryRunEngine):
    """A program or a reward model that is not called."""

    def __init__(self, source: RewardSource, ledger: Ledger, pending: PendingCalls) -> None:
        super().__init__(source, ledger, pending)
        self.label = source.label

    def _reply(self, request: Request) -> Completion:
        found = super()._reply(request)
        return found if found.finish == "stop" else reply_of(None)


@dataclass
class DryRun:
    """A temporary run to write to, a ledger to read from, and the pending calls by model identity."""

    run: Run
    ledger: Ledger
    pending: dict[str, PendingCalls] = field(default_factory=dict)
    engines: dict[str, Engine] = field(default_factory=dict)

    def wrap(self, model: EvalModel) -> EvalModel:
        """Return a model whose engines count requests instead of sending them."""
        return EvalModel(model.name, lambda: self._counting(model.open()))

    def _counting(self, engine: Engine) -> Engine:
        if isinstance(engine, Combination):
            return engine.with_sources([self._counting(one) for one in engine.sources])
        self.engines[engine.identity] = engine
        pending = self.pending.setdefault(engine.identity, PendingCalls(engine.name, engine.price))
        if isinstance(engine, RewardSource):
            return DryRunSource(engine, self.ledger, pending)
        return DryRunEngine(engine, self.ledger, pending)

    def require_keys(self) -> None:
        """Refuse calls that could not be made, before other models have worked for an hour.

        Raises:
            UsageError: a model has calls to make, and there is no key for them.
        """
        for identity, engine in self.engines.items():
            if isinstance(engine, RemoteEngine) and self.pending[identity].calls:
                engine.key  # noqa: B018 -- reading it raises where there is none

    def estimate(self) -> list[str]:
        """Return the pending calls as lines for people."""
        return estimate(self.pending.values())


@contextmanager
def dry_run(ledger: Ledger | None) -> Iterator[DryRun]:
    """Open a dry run, with an empty ledger where none is given; its folder is deleted afterwards."""
    with TemporaryDirectory(prefix="srlm-") as folder:
        run = Run(Path(folder) / "dry-run")
        try:
            yield DryRun(run, ledger or run.ledger)
        finally:
            run.close()


def estimate(pending: Iterable[PendingCalls]) -> list[str]:
    """Return lines for people: the pending calls by model, and their sum where several have a price."""
    left = [one for one in pending if one.calls]
    if not left:
        return ["Nothing is left to ask: every answer is in the ledger."]
    paid = [one for one in left if one.price not in {None, FREE}]
    lines = [one.sentence() for one in left]
    if len(paid) > 1:
        about = sum(one.dollars(one.likely) or 0.0 for one in paid)
        most = sum(one.dollars(one.most) or 0.0 for one in paid)
        lines.append(f"Together about ${about:.4f}, at most ${most:.4f}.")
    return lines
