"""The one way to ask an engine: through the ledger, batch by batch, with progress.

A batch that the ledger holds whole is read; any other is computed whole and committed at once. So an answer never
depends on where an earlier run was killed, and nothing is paid for twice. (An engine that plans batches of one, as the
paid ones do, loses at most the calls in flight.)
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from srlm.console import Progress
from srlm.engines.capabilities import Adapting
from srlm.engines.engine import Done, Engine
from srlm.errors import EngineFailed
from srlm.ledger import Call, Ledger, request_key
from srlm.prices import cost_of
from srlm.types import Completion, Failed, Reply, Request

LONGEST_WAIT = 0.5
"""Seconds that an answer waits for others to be committed with."""


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
        """Answer every request, in order, as (ledger key, reply). Failed calls come back as `Failed`.

        Args:
            requests: what to answer; equal requests are one call.
            label: of the progress bar.
            background: work that needs no reply. One step of it is taken after each batch, while a server computes the
                next ones; the steps that are left are the caller's to take.

        Raises:
            EngineFailed: no call at all succeeded, or the server stopped answering.
            NotWritable: the ledger is read-only, or its disk is full; no call was made.
            BudgetSpent: the next call could exceed the budget of the command.
        """
        engine, ledger, progress = self.engine, self.ledger, self.progress
        recall(engine, ledger)
        wanted = [request_key(engine.identity, request) for request in requests]
        once = dict(zip(wanted, requests, strict=True))  # equal requests are one call
        unique = list(once)
        found = {key: find(engine, ledger, request) for key, request in once.items()}
        replies: dict[str, tuple[str, Reply]] = {key: stored for key, stored in found.items() if stored is not None}
        plan = engine.plan(list(once.values()))
        todo = [batch for batch in plan if any(unique[index] not in replies for index in batch)]
        if todo:
            ledger.require_writable()
        with progress.step(label, total=len(unique)) as step:
            step.advance(len(unique) - sum(len(batch) for batch in todo))
            pending = _Pending(engine, ledger, self.stage, replies)
            try:
                for done in engine.run([[once[unique[index]] for index in batch] for batch in todo], step.advance):
                    asked = [unique[index] for index in todo[done.batch]]
                    pending.add([(key, once[key]) for key in asked], done)
                    if background is not None:
                        next(background, None)
            finally:
                pending.commit()  # also what came before an error, or Ctrl-C
        answered = [replies.get(key, (key, Failed("not run"))) for key in wanted]
        failed = [reply for _, reply in answered if isinstance(reply, Failed)]
        if requests and len(failed) == len(requests):
            raise EngineFailed(
                f"{engine.name} answered none of {len(unique)} calls; the first failure: {failed[0].reason}. Check that "
                "it is a model for this task, and that prompts of this length fit into it; the same command asks again."
            )
        return answered


def recall(engine: Engine, ledger: Ledger) -> None:
    """Take over what the ledger knows of a server, so that a request is asked as it was before, or not at all."""
    if isinstance(engine, Adapting):
        engine.learn(engine.capabilities.plus(ledger.refused(engine.identity)))


def find(engine: Engine, ledger: Ledger, request: Request) -> tuple[str, Completion] | None:
    """The answer to a request and its key, if it was ever given.

    A server that refuses a part of a request may have taken the whole before that was known: such an answer counts.
    """
    asked = [engine.identity]
    if isinstance(engine, Adapting) and engine.capabilities.refused:
        asked = list(dict.fromkeys(engine.asked(request, able) for able in engine.capabilities.history))
    for key in (request_key(one, request) for one in asked):
        stored = ledger.get(key)
        if stored is not None:
            return key, stored
    return None


class _Pending:
    """What was answered and is not in the ledger yet: whole batches that came together, for a moment at the most.

    `replies` are completed by it, by the key that was wanted: (the key of what was asked in the end, the reply).
    """

    def __init__(self, engine: Engine, ledger: Ledger, stage: str, replies: dict[str, tuple[str, Reply]]) -> None:
        self._engine, self._ledger, self._stage, self._replies = engine, ledger, stage, replies
        self._calls: dict[str, Call] = {}
        self._faults: list[str] = []
        self._since = time.monotonic()
        self._known = self._refused()

    def add(self, asked: Sequence[tuple[str, Request]], done: Done) -> None:
        """Take a batch; write it unless the next is there already."""
        seconds = done.seconds / max(1, len(done.replies))
        day = datetime.now(UTC).date().isoformat()
        # As a list: a batch of another length than was asked is an error before any of it is kept.
        for (wanted, request), reply in list(zip(asked, done.replies, strict=True)):
            key = wanted if done.asked in {None, self._engine.identity} else request_key(str(done.asked), request)
            # A batch that was stored in part is computed whole; what was said before stays.
            self._replies.setdefault(wanted, (key, reply))
            if not isinstance(reply, Failed):
                cost = cost_of(self._engine.price, reply) if self._engine.price else None
                self._calls[wanted] = Call(key, request, reply, seconds, cost, day)
        self._faults += done.faults
        if not done.followed or time.monotonic() - self._since > LONGEST_WAIT:
            self.commit()

    def commit(self) -> None:
        """Write everything, in one transaction. Where another process was first, its answers are taken."""
        refused = self._refused()
        if len(refused) > len(self._known):
            self._ledger.keep_refused(self._engine.identity, refused)
            self._known = refused
        if self._calls or self._faults:
            new = self._ledger.commit(self._stage, self._engine.name, list(self._calls.values()), self._faults)
            if new < len(self._calls):
                for wanted, call in self._calls.items():
                    kept = self._ledger.get(call.key)
                    if kept is not None and self._replies[wanted][0] == call.key:
                        self._replies[wanted] = (call.key, kept)
        self._calls, self._faults, self._since = {}, [], time.monotonic()

    def _refused(self) -> tuple[str, ...]:
        return self._engine.capabilities.refused if isinstance(self._engine, Adapting) else ()
