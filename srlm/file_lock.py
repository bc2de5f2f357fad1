"""File locks: one process at a time. A lock ends with its process, however the process ends."""

import errno
import os
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

from srlm.errors import UsageError

if TYPE_CHECKING:
    from filelock import FileLock

NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}
"""Errors of a file system without file locks."""

LOCK_ADVICE = (
    "Choose a place on another file system, or mount this one with file locks (Lustre: the option flock; NFS: version "
    "4, or the lock service of version 3)"
)


def acquire_lock(path: Path, busy: str) -> "FileLock":
    """Lock a file and return the lock.

    Raises:
        UsageError: another process has the lock, with the message `busy`; or the folder is not writable, or is on a
            file system without file locks.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(path, timeout=0)
    try:
        missing = missing_locks(path.parent)
        if not missing:
            lock.acquire()
    except Timeout:
        raise UsageError(busy) from None
    except NotImplementedError as error:  # older versions of filelock, where there is no flock
        missing = str(error)
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise UsageError(f"{path.parent} is not writable ({error.strerror}).") from None
        missing = error.strerror or ""
    if missing:
        raise UsageError(f"{path.parent} is on a file system without file locks ({missing}). {LOCK_ADVICE}.")
    return lock


def missing_locks(folder: Path) -> str:
    """Return the operating system's reason why no file in a folder can be locked; "" if one can, or if that is unknown.

    The locks are those of SQLite (POSIX record locks). A file of its own is locked: closing a file would release the
    locks that this process has on it.
    """
    if os.name != "posix":
        return ""
    import fcntl

    try:
        with TemporaryFile(dir=folder) as file:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return str(error.strerror) if error.errno in NO_LOCKS else ""
    return ""
