"""The one way to ask an engine: through the ledger, batch by batch, with progress.

A batch that the ledger holds whole is read; any other is computed whole and committed at once. So an answer never
depends on where an earlier run was killed, and nothing is paid for twice. (An engine that plans batches of one, as the
paid ones do, loses at most the calls in flight.)
"""

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from srlm.display import Progress
from srlm.engines.engine import Done, Engine
from srlm.errors import EngineError
from srlm.ledger import Call, Ledger, request_key
from srlm.types import Failed, Reply, Request

LONGEST_WAIT = 0.5
"""Seconds that an answer waits for others to be committed with."""


def ask(
    engine: Engine,
    requests: Sequence[Request],
    ledger: Ledger,
    *,
    stage: str,
    progress: Progress,
    label: str,
    meanwhile: Iterator[None] | None = None,
) -> list[tuple[str, Reply]]:
    """Answer every request, in order, as (ledger key, reply). Failed calls come back as `Failed`.

    `meanwhile` is work of the caller's that needs no reply: a piece of it is done after each batch, when a server has
    others in flight. What is left of it is the caller's to end.

    Raises:
        EngineError: no call at all succeeded, so that going on would only fail again; or a server is dead.
        NotWritable: the ledger is read-only, or its disk is full: nothing was asked.
        BudgetSpent: the next call could pass what the command may spend.
    """
    keys = [request_key(engine.identity, request) for request in requests]
    once = dict(zip(keys, requests, strict=True))  # equal requests are one call
    unique = list(once)
    stored = {key: ledger.get(key) for key in unique}
    replies: dict[str, Reply] = {key: reply for key, reply in stored.items() if reply is not None}
    plan = engine.plan(list(once.values()))
    todo = [batch for batch in plan if any(unique[index] not in replies for index in batch)]
    if todo:
        ledger.require_writable()
    with progress.step(label, total=len(unique)) as step:
        step.advance(len(unique) - sum(len(batch) for batch in todo))
        pending = _Pending(engine, ledger, stage)
        try:
            for done in engine.run([[once[unique[index]] for index in batch] for batch in todo], step.advance):
                asked = [unique[index] for index in todo[done.batch]]
                for key, reply in zip(asked, done.replies, strict=True):
                    # A batch that was stored in part is computed whole; what was said before stays.
                    replies.setdefault(key, reply)
                pending.add([(key, once[key]) for key in asked], done)
                if meanwhile is not None:
                    next(meanwhile, None)
        finally:
            pending.commit()  # also what came before an error, or Ctrl-C
    answered = [(key, replies.get(key, Failed("not run"))) for key in keys]
    failed = [reply for _, reply in answered if isinstance(reply, Failed)]
    if requests and len(failed) == len(requests):
        raise EngineError(
            f"{engine.name} answered none of {len(unique)} calls; the first failure: {failed[0].reason}. Check that it "
            "is a model for this task, and that prompts of this length fit into it; the same command asks again."
        )
    return answered


class _Pending:
    """What was answered and is not in the ledger yet: whole batches that came together, for a moment at the most."""

    def __init__(self, engine: Engine, ledger: Ledger, stage: str) -> None:
        self._engine, self._ledger, self._stage = engine, ledger, stage
        self._calls: list[Call] = []
        self._faults: list[str] = []
        self._since = time.monotonic()

    def add(self, asked: Sequence[tuple[str, Request]], done: Done) -> None:
        """Take a batch; write it unless the next is there already."""
        seconds = done.seconds / max(1, len(done.replies))
        day = datetime.now(UTC).date().isoformat()
        for (key, request), reply in zip(asked, done.replies, strict=True):
            if not isinstance(reply, Failed):
                cost = self._engine.price.of(reply) if self._engine.price else None
                self._calls.append(Call(key, request, reply, seconds, cost, day))
        self._faults += done.faults
        if not done.followed or time.monotonic() - self._since > LONGEST_WAIT:
            self.commit()

    def commit(self) -> None:
        """Write everything, in one transaction."""
        if self._calls or self._faults:
            self._ledger.commit(self._stage, self._engine.name, self._calls, self._faults)
        self._calls, self._faults, self._since = [], [], time.monotonic()
