"""One command at a time asks models through a ledger: what the first is answered, the second finds there.

A training has a lock of its own (`srlm.runs.Run.lock`): a model of a run can be evaluated while the next one trains.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def lock_ledger(ledger: Path, say: Callable[[str], None]) -> Iterator[bool]:
    """Wait until no other command asks through this ledger, and say so; the block is told whether it had to wait.

    The lock ends with the process, however that ends. Where none can be made, nothing can be written either, and
    nobody is waited for.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(ledger.parent / f".{ledger.name}.lock", timeout=0)
    waited = False
    try:
        ledger.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        say(
            f"Another srlm command asks models through {ledger}. This one waits until that has ended, so that nothing "
            "is asked twice; Ctrl-C stops it."
        )
        lock.acquire(timeout=-1)
        waited = True
    except (OSError, NotImplementedError):
        yield False
        return
    try:
        yield waited
    finally:
        lock.release()
