"""The one way to ask an engine: through the ledger, batch by batch, with progress.

A batch that the ledger holds whole is read; any other is computed whole and committed at once. So an answer never
depends on where an earlier run was killed, and nothing is paid for twice. (An engine that plans batches of one, as the
paid ones do, loses at most the calls in flight.)
"""

from collections.abc import Sequence

from srlm.display import Progress
from srlm.engines.engine import Engine
from srlm.errors import EngineError
from srlm.ledger import Call, Ledger, request_key
from srlm.types import Failed, Reply, Request


def ask(
    engine: Engine, requests: Sequence[Request], ledger: Ledger, *, stage: str, progress: Progress, label: str
) -> list[tuple[str, Reply]]:
    """Answer every request, in order, as (ledger key, reply). Failed calls come back as `Failed`.

    Raises:
        EngineError: no call at all succeeded, so that going on would only fail again.
    """
    keys = [request_key(engine.identity, request) for request in requests]
    once = dict(zip(keys, requests, strict=True))  # equal requests are one call
    unique = list(once)
    stored = {key: ledger.get(key) for key in unique}
    replies: dict[str, Reply] = {key: reply for key, reply in stored.items() if reply is not None}
    plan = engine.plan(list(once.values()))
    todo = [batch for batch in plan if any(unique[index] not in replies for index in batch)]
    with progress.step(label, total=len(unique)) as step:
        step.advance(len(unique) - sum(len(batch) for batch in todo))
        for done in engine.run([[once[unique[index]] for index in batch] for batch in todo], step.advance):
            calls: list[Call] = []
            seconds = done.seconds / max(1, len(done.replies))
            for index, reply in zip(todo[done.batch], done.replies, strict=True):
                key = unique[index]
                # A batch that was stored in part is computed whole; what was said before stays.
                replies.setdefault(key, reply)
                if not isinstance(reply, Failed):
                    cost = engine.price.of(reply) if engine.price else None
                    calls.append(Call(key, once[key], reply, seconds, cost))
            ledger.commit(stage, engine.name, calls, done.faults)
    answered = [(key, replies.get(key, Failed("not run"))) for key in keys]
    failed = [reply for _, reply in answered if isinstance(reply, Failed)]
    if requests and len(failed) == len(requests):
        raise EngineError(
            f"{engine.name} answered none of {len(unique)} calls; the first failure: {failed[0].reason}. "
            "Check the address and the key; the same command asks again."
        )
    return answered
