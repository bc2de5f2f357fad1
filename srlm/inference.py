"""Cached inference: all requests to an engine go through the ledger, batch by batch, with progress.

A batch that the ledger holds completely is read; any other is computed completely and committed at once. So an answer
never depends on when an earlier run was killed, and no call is paid for twice. Engines of paid APIs plan batches of one
request: a killed run loses only the concurrent requests.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from srlm.console import Progress
from srlm.engines.capabilities import AdaptiveEngine
from srlm.engines.engine import BatchResult, Engine
from srlm.errors import EngineFailed
from srlm.ledger import Call, Ledger, request_key
from srlm.prices import cost_of
from srlm.types import Completion, Failed, Reply, Request

COMMIT_DELAY_S = 0.5
"""Longest time that an answer waits to be committed together with others."""


@dataclass(frozen=True)
class Caller:
    """An engine whose calls are cached in a ledger, counted under a stage, and shown as progress."""

    engine: Engine
    ledger: Ledger
    stage: str
    progress: Progress

    def ask(
        self, requests: Sequence[Request], label: str, *, background: Iterator[None] | None = None
    ) -> list[tuple[str, Reply]]:
        """Answer every request, in order, as (ledger key, reply). Failed calls are returned as `Failed`.

        Args:
            requests: what to answer; equal requests are one call.
            label: of the progress bar.
            background: work that needs no reply. One step of it is taken after each batch, while a server computes the
                next ones; the caller takes the remaining steps.

        Raises:
            EngineFailed: no call at all succeeded, or the server stopped answering.
            NotWritable: the ledger is read-only, or its disk is full; no call was made.
            BudgetSpent: the next call could exceed the budget of the command.
        """
        engine, ledger = self.engine, self.ledger
        load_capabilities(engine, ledger)
        keys = [request_key(engine.identity, request) for request in requests]
        by_key = dict(zip(keys, requests, strict=True))  # equal requests are one call
        unique = list(by_key)
        stored = {key: find_stored(engine, ledger, request, key) for key, request in by_key.items()}
        replies: dict[str, tuple[str, Reply]] = {key: found for key, found in stored.items() if found is not None}
        # A plan may tokenize every prompt, which takes a while for nothing where all is stored.
        plan = engine.plan(list(by_key.values())) if len(replies) < len(unique) else []
        todo = [batch for batch in plan if any(unique[index] not in replies for index in batch)]
        if todo:
            ledger.require_writable()
            ledger.announce(self.progress.say)
        with self.progress.step(label, total=len(unique)) as step:
            step.advance(len(unique) - sum(len(batch) for batch in todo))
            uncommitted = _Uncommitted(self, replies)
            try:
                for result in engine.run([[by_key[unique[index]] for index in batch] for batch in todo], step.advance):
                    asked = [unique[index] for index in todo[result.batch]]
                    uncommitted.add([(key, by_key[key]) for key in asked], result)
                    if background is not None:
                        next(background, None)
            finally:
                uncommitted.commit()  # also results before an error or Ctrl-C
        answered = [replies.get(key, (key, Failed("not run"))) for key in keys]
        self._require_an_answer([reply for _, reply in answered], len(unique))
        return answered

    def _require_an_answer(self, replies: Sequence[Reply], calls: int) -> None:
        failed = [reply for reply in replies if isinstance(reply, Failed)]
        if replies and len(failed) == len(replies):
            raise EngineFailed(
                f"{self.engine.name} answered none of {calls} calls; the first failure: {failed[0].reason}. Check that "
                "it is a model for this task, and that prompts of this length fit into its context; then run the same "
                "command again."
            )


def load_capabilities(engine: Engine, ledger: Ledger) -> None:
    """Load what the ledger knows of a server's refused fields, so that a request is sent as it was before."""
    if isinstance(engine, AdaptiveEngine):
        engine.update_capabilities(engine.capabilities.refusing(ledger.refused(engine.identity)))


def find_stored(
    engine: Engine, ledger: Ledger, request: Request, key: str | None = None
) -> tuple[str, Completion] | None:
    """Find the stored answer to a request and its key; None if there is none.

    A server that refuses a field may have accepted it earlier: such an answer counts too. `key` is that of the request
    to the engine as it is, if it is known.
    """
    keys = [key or request_key(engine.identity, request)]
    if isinstance(engine, AdaptiveEngine) and engine.capabilities.refused:
        identities = dict.fromkeys(engine.identity_for(request, one) for one in engine.capabilities.history)
        keys = [request_key(identity, request) for identity in identities]
    for one in keys:
        stored = ledger.get(one)
        if stored is not None:
            return one, stored
    return None


class _Uncommitted:
    """Answered batches that are not in the ledger yet, at most for `COMMIT_DELAY_S`.

    Adds to `replies`: by the key that was requested, the key that was stored in the end and the reply.
    """

    def __init__(self, caller: Caller, replies: dict[str, tuple[str, Reply]]) -> None:
        self._engine, self._ledger, self._stage, self._replies = caller.engine, caller.ledger, caller.stage, replies
        self._calls: dict[str, Call] = {}
        self._failures: list[str] = []
        self._since = time.monotonic()
        self._known = self._refused()

    def add(self, asked: Sequence[tuple[str, Request]], result: BatchResult) -> None:
        """Add a batch; commit unless the next one is ready."""
        seconds = result.seconds / max(1, len(result.replies))
        day = datetime.now(UTC).date().isoformat()
        # As a list: a batch of another length than requested is an error before any of it is stored.
        for (wanted, request), reply in list(zip(asked, result.replies, strict=True)):
            changed = result.identity not in {None, self._engine.identity}
            key = request_key(str(result.identity), request) if changed else wanted
            # A batch that was stored in part is computed completely; its stored answers stay.
            self._replies.setdefault(wanted, (key, reply))
            if not isinstance(reply, Failed):
                cost = cost_of(self._engine.price, reply) if self._engine.price else None
                self._calls[wanted] = Call(key, request, reply, seconds, cost, day)
        self._failures += result.failed_attempts
        if not result.more_ready or time.monotonic() - self._since > COMMIT_DELAY_S:
            self.commit()

    def commit(self) -> None:
        """Write everything in one transaction. Where another process was first, use its answers."""
        refused = self._refused()
        if len(refused) > len(self._known):
            self._ledger.keep_refused(self._engine.identity, refused)
            self._known = refused
        if self._calls or self._failures:
            new = self._ledger.commit(self._stage, self._engine.name, list(self._calls.values()), self._failures)
            if new < len(self._calls):
                for wanted, call in self._calls.items():
                    kept = self._ledger.get(call.key)
                    if kept is not None and self._replies[wanted][0] == call.key:
                        self._replies[wanted] = (call.key, kept)
        self._calls, self._failures, self._since = {}, [], time.monotonic()

    def _refused(self) -> tuple[str, ...]:
        return self._engine.capabilities.refused if isinstance(self._engine, AdaptiveEngine) else ()
