"""File locks: one process at a time. A lock ends with its process, however the process ends."""

from pathlib import Path
from typing import TYPE_CHECKING

from srlm.errors import UsageError

if TYPE_CHECKING:
    from filelock import FileLock


def acquire_lock(path: Path, busy: str) -> "FileLock":
    """Lock a file and return the lock.

    Raises:
        UsageError: another process has the lock, with the message `busy`; or the folder is not writable.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(path, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise UsageError(busy) from None
    except OSError as error:
        raise UsageError(f"{path.parent} is not writable ({error.strerror}).") from None
    return lock
