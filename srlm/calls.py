"""The one way to ask an engine: through the ledger, batch by batch, with progress.

A batch that the ledger holds whole is read; any other is computed whole and committed at once. So an answer never
depends on where an earlier run was killed, and nothing is paid for twice. (An engine that plans batches of one, as the
paid ones do, loses at most the calls in flight.)
"""

from collections.abc import Sequence

from srlm.display import Progress
from srlm.engines.engine import Engine
from srlm.errors import EngineError
from srlm.ledger import Ledger, request_key
from srlm.types import Completion, Failed, Reply, Request


def ask(
    engine: Engine, requests: Sequence[Request], ledger: Ledger, *, stage: str, progress: Progress, label: str
) -> list[tuple[str, Reply]]:
    """Answer every request, in order, as (ledger key, reply). Failed calls come back as `Failed`.

    Raises:
        EngineError: no call at all succeeded, so that going on would only fail again.
    """
    keys = [request_key(engine.identity, request) for request in requests]
    replies: list[Reply | None] = [ledger.get(key) for key in keys]
    plan = engine.plan(requests)
    todo = [batch for batch in plan if any(replies[index] is None for index in batch)]
    with progress.step(label, total=len(requests)) as step:
        step.advance(len(requests) - sum(len(batch) for batch in todo))
        for number, answers in engine.run([[requests[index] for index in batch] for batch in todo]):
            batch = todo[number]
            calls: list[tuple[str, Request, Completion]] = []
            failures: list[str] = []
            for index, reply in zip(batch, answers, strict=True):
                replies[index] = reply
                if isinstance(reply, Failed):
                    failures.append(reply.reason)
                else:
                    calls.append((keys[index], requests[index], reply))
            ledger.commit(stage, engine.name, calls, failures)
            step.advance(len(batch))
    answered: list[Reply] = [reply if reply is not None else Failed("not run") for reply in replies]
    if requests and all(isinstance(reply, Failed) for reply in answered):
        first = next(reply.reason for reply in answered if isinstance(reply, Failed))
        raise EngineError(f"{engine.name} answered none of {len(requests)} calls; the first failure: {first}")
    return list(zip(keys, answered, strict=True))
