"""Schema and migration of the ledger's SQLite file; the first process that opens an older file migrates it.

The file has a write-ahead log: readers and a writer do not wait for each other. SQLite keeps the log's index in memory
that the processes of one machine share through a file. Where the file system has no such memory, the file gets a
rollback journal instead, and keeps it: changing back could take the file from a process that is using it.
"""

import os
import shlex
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from srlm.errors import DataError
from srlm.file_lock import LOCK_ADVICE, missing_locks

VERSION = 2
"""Schema version, in the file's `user_version`; 0 is the first schema, which had no version, and a new file.

Ledgers of version 1 have no column `day`.
"""

BUSY_TIMEOUT_S = 60.0
"""Time that a process waits while others write."""

PAGE = 16384
"""Bytes of a page of a new file. It fits calls of 2 to 5 kB: with SQLite's 4096 the file is 1.7 times as large."""

BUSY_POLL_S = 0.01
BUSY_MASK = 0xFF
"""Bits of SQLite's primary error code, without the extended ones."""

MIN_FREE_BYTES = 65536
"""Free space below which SQLite cannot write: its log and the index of that."""

KEPT = "Its content is kept. Make it writable or free some space, then run the same command again to resume."

_UNWRITABLE = {
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_AUTH,
    sqlite3.SQLITE_NOLFS,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_PROTOCOL,
}
"""Error codes that are no damage of the file."""

_NO_SHARED_MEMORY = {
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_IOERR_LOCK,
    sqlite3.SQLITE_IOERR_SHMLOCK,
    sqlite3.SQLITE_IOERR_SHMMAP,
    sqlite3.SQLITE_IOERR_SHMOPEN,
    sqlite3.SQLITE_IOERR_SHMSIZE,
}
"""Error codes, extended ones among them, of a write-ahead log whose index cannot be shared."""

# A plain table with an index, though rows are only looked up by key: WITHOUT ROWID took three times as long to fill
# with a million calls of 2 kB in random order, and lookups were no faster.
_CALLS = """
CREATE TABLE calls (
    key TEXT PRIMARY KEY NOT NULL, stage TEXT NOT NULL, model TEXT NOT NULL, request TEXT NOT NULL, reply TEXT NOT NULL,
    prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL, seconds REAL, cost REAL,
    day TEXT
)
"""
_FAILURES = """
CREATE TABLE IF NOT EXISTS failures (
    stage TEXT NOT NULL, model TEXT NOT NULL, reason TEXT NOT NULL, at TEXT DEFAULT CURRENT_TIMESTAMP
)
"""


class NotWritable(DataError):
    """A ledger that cannot be written, though it may be undamaged."""


def open_database(path: Path) -> sqlite3.Connection:
    """Open a ledger's file; create it if it does not exist, and migrate an older one.

    Raises:
        DataError: the file is no ledger, is damaged, or is of a newer srlm.
        NotWritable: the file or its folder is read-only, or its disk is full or broken. `srlm.ledger_readonly` may
            still open it.
    """
    require_file(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NotWritable(path, f"cannot be created: {error.strerror}. Choose another path.") from None
    connection: sqlite3.Connection | None = None
    unshared: sqlite3.Error | None = None
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            if connection is None:
                connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
            _begin(connection, path, unshared)
        except sqlite3.Error as error:
            # While another process creates the file or closes it last, SQLite reports "locked" without waiting.
            if is_busy(error) and time.monotonic() < deadline:
                time.sleep(BUSY_POLL_S)
                continue
            if connection is not None:
                connection.close()
            if unshared is None and _lacks_shared_memory(error):
                connection, unshared = None, error
                continue
            raise refusal(path, error) from None
        except BaseException:
            if connection is not None:
                connection.close()
            raise
        return connection


def has_log(connection: sqlite3.Connection) -> bool:
    """Return whether the file has a write-ahead log."""
    return bool(connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal")


def require_file(path: Path) -> None:
    """Refuse a path that exists and is no file, such as a folder.

    Raises:
        DataError: it is none.
    """
    if path.exists() and not path.is_file():
        raise DataError(path, "is no file, so no ledger. Give the file: that of a run is ledger.sqlite in its folder.")


def is_busy(error: sqlite3.Error) -> bool:
    """Return whether another process holds the file."""
    return _code(error) == sqlite3.SQLITE_BUSY


def refusal(path: Path, error: sqlite3.Error, doing: str = "written") -> DataError:
    """Build the error for a failed operation on a ledger: the cause, what is lost, the next step."""
    code = _code(error)
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        # Some systems report a missing lock service in the same way as a lock of another process.
        if reason := missing_locks(path.parent):
            return DataError(path, f"cannot be {doing}{_without_locks(path.parent, reason)}.")
        return DataError(path, f"is locked by another process ({error}). Wait for it, or stop it.")
    if code in _UNWRITABLE:
        if doing != "written":
            return DataError(path, f"cannot be {doing} ({error}). It is left as it is.")
        return not_writable(path, str(error))
    return damaged(path, str(error))


def not_writable(path: Path, problem: str) -> NotWritable:
    """Build the error for a ledger that cannot be written, though it may be undamaged."""
    return NotWritable(path, f"cannot be written ({problem}){_why(path)}. {KEPT}")


def damaged(path: Path, problem: str) -> DataError:
    """Build the error for a file that is no valid ledger, with how to save its calls."""
    return DataError(
        path,
        f"is no ledger, or a damaged one ({problem}). Keep a copy of it. Save the calls that can be read with: "
        f"srlm ledger --ledger {shlex.quote(str(path))} --export calls.jsonl  (for more, try SQLite's own: sqlite3 "
        "FILE .recover). Then move it away, and import the calls into a new one with --import, or continue without it.",
    )


def _code(error: sqlite3.Error) -> int:
    """Return SQLite's primary error code; errors of the module sqlite3 itself have none."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & BUSY_MASK


def _lacks_shared_memory(error: sqlite3.Error) -> bool:
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) in _NO_SHARED_MEMORY


def _without_locks(folder: Path, reason: str) -> str:
    return f": the file system of {folder} has no file locks ({reason}). {LOCK_ADVICE}"


def _why(path: Path) -> str:
    """Return the operating system's reason why SQLite cannot write."""
    place = next(one for one in [path.absolute(), *path.absolute().parents] if one.exists())
    folder = place if place.is_dir() else place.parent
    if hasattr(os, "statvfs") and os.statvfs(folder).f_flag & os.ST_RDONLY:
        return f": the disk of {folder} is mounted read-only"
    for one in (place, folder):
        if not os.access(one, os.W_OK):
            return f": you may not write {one}"
    if reason := missing_locks(folder):
        return _without_locks(folder, reason)
    return ": the disk is full" if shutil.disk_usage(folder).free < MIN_FREE_BYTES else ""


def _begin(connection: sqlite3.Connection, path: Path, unshared: sqlite3.Error | None) -> None:
    """Check the file before anything is changed, then set it up; without a log, where one has failed as `unshared`."""
    if unshared is not None:
        _remove_log(connection, unshared)
    if version_of(connection) != VERSION:
        require_ledger(connection, path)
    connection.execute(f"PRAGMA page_size={PAGE}")
    # A current file without a log is one that was made where there can be none.
    if unshared is None and version_of(connection) != VERSION:
        connection.execute("PRAGMA journal_mode=WAL")
    if has_log(connection):
        connection.execute("PRAGMA synchronous=NORMAL")
    else:
        connection.execute("PRAGMA journal_mode=TRUNCATE")
        connection.execute("PRAGMA synchronous=FULL")  # with less, a power failure can damage a file without a log
    if version_of(connection) != VERSION:
        prepare(connection, path)


def _remove_log(connection: sqlite3.Connection, cause: sqlite3.Error) -> None:
    """Give the file of a new connection a rollback journal, through an index of its log in this process's memory.

    SQLite allows that to a connection that is the only one (locking_mode=EXCLUSIVE, set before the first access).

    Raises:
        sqlite3.Error: it cannot be done: with the reason, or with `cause`, for which it was tried.
    """
    connection.execute("PRAGMA locking_mode=EXCLUSIVE")
    mode = connection.execute("PRAGMA journal_mode=TRUNCATE").fetchone()[0]
    connection.execute("PRAGMA locking_mode=NORMAL")
    version_of(connection)  # the exclusive lock ends with the next access
    if mode != "truncate":
        raise cause


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Commit all writes of the block, or none."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # on a full disk SQLite has rolled back by itself
            connection.execute("ROLLBACK")
        raise


def try_to_write(connection: sqlite3.Connection) -> None:
    """Write without a change: BEGIN alone succeeds on a read-only file as well."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute(f"PRAGMA user_version = {VERSION}")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def version_of(connection: sqlite3.Connection) -> int:
    """Return the schema version of a file; see `VERSION`."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def require_ledger(connection: sqlite3.Connection, path: Path) -> set[str]:
    """Return the names of a file's tables, if it is a ledger of this or an older version, or empty.

    Raises:
        DataError: it is of a newer version, or no ledger.
    """
    if version_of(connection) > VERSION:
        raise DataError(path, "was written by a newer version of srlm. Upgrade srlm, or use another ledger.")
    names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    if names and "calls" not in names:
        raise DataError(path, "is an SQLite file, but no ledger.")
    return names


def prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Create the tables, or migrate those of an older version.

    Of several processes the first one does it; the others wait.
    """
    with transaction(connection):
        version = version_of(connection)
        names = require_ledger(connection, path)
        if version == VERSION:
            return
        if version == 1:
            connection.execute("ALTER TABLE calls ADD COLUMN day TEXT")
            connection.execute(f"PRAGMA user_version = {VERSION}")
            return
        if names:
            connection.execute("ALTER TABLE calls RENAME TO older")
        connection.execute(_CALLS)
        connection.execute(_FAILURES)
        if names:
            _copy_older(connection)
        connection.execute(f"PRAGMA user_version = {VERSION}")


def _copy_older(connection: sqlite3.Connection) -> None:
    """Fill the table from one without measurements: the tokens are in the replies, time and cost are unknown."""
    if "seconds" not in {row[1] for row in connection.execute("PRAGMA table_info(older)")}:
        connection.execute("ALTER TABLE older ADD COLUMN seconds REAL")
        connection.execute("ALTER TABLE older ADD COLUMN cost REAL")
    connection.execute(
        "INSERT INTO calls SELECT key, stage, model, request, reply, json_extract(reply, '$.prompt_tokens'), "
        "json_extract(reply, '$.completion_tokens'), seconds, cost, NULL FROM older"
    )
    connection.execute("DROP TABLE older")
