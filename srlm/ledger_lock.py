"""A lock for one command at a time on a ledger: the second finds in the ledger what the first was answered.

A training has a lock of its own (`srlm.runs.Run.lock`): a model of a run can be evaluated while the next one trains.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def lock_ledger(ledger: Path, say: Callable[[str], None]) -> Iterator[bool]:
    """Wait until no other command uses this ledger, with a message; yield whether it had to wait.

    The lock is released when the process ends, in any way. Where no lock file can be created, the ledger cannot be
    written either, and there is no wait.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(ledger.parent / f".{ledger.name}.lock", timeout=0)
    waited = False
    try:
        ledger.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        say(
            f"Another srlm command is using the ledger {ledger}. This one waits until that has ended, so that no call "
            "is made twice; Ctrl-C stops it."
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
